import type { PlotData } from "../chart/plot-data.ts";

const AIR_PX = 3;

/** SVG paths of one series: `line` through the means or readings, `band` around them per run. */
export function sparkPaths(
  data: PlotData,
  fromMs: number,
  toMs: number,
  width: number,
  height: number,
): { line: string; band: string } {
  const known = [...data.min, ...data.max, ...data.mid].filter((v) => v !== null);
  const low = known.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = known.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const tall = high - low || 1;
  const x = (i: number) => (((data.x[i] ?? 0) - fromMs) / (toMs - fromMs)) * width;
  const y = (v: number) => height - AIR_PX - ((v - low) / tall) * (height - 2 * AIR_PX);
  const point = (i: number, v: number | null | undefined) =>
    `${x(i).toFixed(1)} ${y(v ?? low).toFixed(1)}`;
  const all = runs(data.mid);
  return {
    line: all.map((run) => `M${run.map((i) => point(i, data.mid[i])).join("L")}h.01`).join(""),
    band: all
      .filter((run) => data.min[run[0] ?? 0] != null)
      .map((run) => {
        const top = run.map((i) => point(i, data.max[i]));
        const bottom = run.map((i) => point(i, data.min[i])).reverse();
        return `M${[...top, ...bottom].join("L")}Z`;
      })
      .join(""),
  };
}

/** Indices of consecutive values, split where there is none. */
function runs(column: readonly (number | null)[]): number[][] {
  const found: number[][] = [];
  let open: number[] | undefined;
  column.forEach((v, i) => {
    if (v === null) {
      open = undefined;
    } else if (open) {
      open.push(i);
    } else {
      open = [i];
      found.push(open);
    }
  });
  return found;
}
