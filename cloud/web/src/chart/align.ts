import type { PlotData } from "./plot-data.ts";

/** A value, a break of the line, or nothing at all: another line has a point here. */
export type Cell = number | null | undefined;

/** Lines on one time axis: for each of them mean, minimum and maximum, as long as the axis. */
export interface Aligned {
  x: readonly number[];
  columns: (readonly Cell[])[];
}

/** Put the points of all lines onto one axis. A line alone stays as it is. */
export function align(lines: readonly PlotData[]): Aligned {
  const [only] = lines;
  if (!only) return { x: [], columns: [] };
  if (lines.length === 1) return { x: only.x, columns: [only.mid, only.min, only.max] };
  const x: number[] = [];
  const columns: Cell[][] = lines.flatMap(() => [[], [], []]);
  const at = lines.map(() => 0);
  for (;;) {
    const next = lines.reduce(
      (least, line, i) => Math.min(least, line.x[at[i] ?? 0] ?? Number.POSITIVE_INFINITY),
      Number.POSITIVE_INFINITY,
    );
    if (next === Number.POSITIVE_INFINITY) return { x, columns };
    x.push(next);
    lines.forEach((line, i) => {
      const row = at[i] ?? 0;
      const has = line.x[row] === next;
      columns[3 * i]?.push(has ? line.mid[row] : undefined);
      columns[3 * i + 1]?.push(has ? line.min[row] : undefined);
      columns[3 * i + 2]?.push(has ? line.max[row] : undefined);
      if (has) at[i] = row + 1;
    });
  }
}

/** The row that stands at an instant: the nearest, unless that lies in a gap. */
export function rowAt(data: PlotData, us: number): number | undefined {
  const ms = us / 1000;
  const behind = firstFrom(data.x, ms);
  const candidates = [behind - 1, behind, behind + 1, behind - 2].filter(
    (row) => data.mid[row] != null || data.text[row] != null,
  );
  const [best] = candidates.sort((a, b) => far(data, a, ms) - far(data, b, ms));
  if (best === undefined) return undefined;
  const at = data.x[best] ?? 0;
  const reach = data.bucketUs === null ? longestReach(data, best) : data.bucketUs / 2000;
  return Math.abs(at - ms) <= reach + 1e-6 ? best : undefined;
}

/** Index of the first value that is not less. */
export function firstFrom(sorted: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function far(data: PlotData, row: number, ms: number): number {
  return Math.abs((data.x[row] ?? Number.POSITIVE_INFINITY) - ms);
}

/** A raw reading speaks for the time to its neighbours; alone between gaps, for its moment. */
function longestReach(data: PlotData, row: number): number {
  const at = data.x[row] ?? 0;
  const step = (other: number) =>
    data.mid[other] == null && data.text[other] == null ? 0 : Math.abs((data.x[other] ?? at) - at);
  return Math.max(step(row - 1), step(row + 1));
}
