/** Rows beyond the edges of the screen that are there already, so that scrolling shows no hole. */
const BEYOND = 8;

export interface Rows {
  /** The first and the last but one row that are drawn. */
  from: number;
  to: number;
}

/** The rows on a screen of this height, whose upper edge lies so far below the list's top. */
export function rowsAt(abovePx: number, screenPx: number, count: number, rowPx: number): Rows {
  const first = Math.floor(abovePx / rowPx) - BEYOND;
  const last = Math.ceil((abovePx + screenPx) / rowPx) + BEYOND;
  const from = Math.min(Math.max(first, 0), count);
  return { from, to: Math.min(Math.max(last, from), count) };
}
