import { clockTime, DAY_US, monthName } from "./time.ts";

const DAY_MS = DAY_US / 1000;
const MONTH_MS = 28 * DAY_MS;
const YEAR_MS = 365 * DAY_MS;

/**
 * Labels under a time axis: the fine part on each tick, the coarse part (day, year) below it only
 * where it changes, so that every instant can be read without repeating the date at each tick.
 *
 * @param splitsMs tick positions, ascending, milliseconds since 1970
 * @param stepMs distance between two ticks
 */
export function axisLabels(splitsMs: readonly number[], stepMs: number): string[] {
  let shown = "";
  return splitsMs.map((ms) => {
    const date = new Date(ms);
    const below = coarse(date, stepMs);
    const label = fine(date, stepMs);
    if (below === shown || below === label) return label;
    shown = below;
    return `${label}\n${below}`;
  });
}

function fine(date: Date, stepMs: number): string {
  if (stepMs < DAY_MS) return clockTime(date.getTime() * 1000, stepMs * 1000);
  if (stepMs < MONTH_MS) return `${date.getDate()} ${monthName(date)}`;
  if (stepMs < YEAR_MS) return monthName(date);
  return String(date.getFullYear());
}

function coarse(date: Date, stepMs: number): string {
  const year = String(date.getFullYear());
  return stepMs < DAY_MS ? `${date.getDate()} ${monthName(date)} ${year}` : year;
}
