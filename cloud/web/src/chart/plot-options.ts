import type uPlot from "uplot";
import { axisNumbers } from "../format/axis-number.ts";
import { axisLabels } from "../format/axis-time.ts";
import type { Palette } from "./palette.ts";

const X_LABEL_PX = 76;
const Y_LABEL_PX = 44;

export interface PlotHooks {
  select(plot: uPlot): void;
  cursor(plot: uPlot): void;
  gaps(plot: uPlot): void;
  drawn(plot: uPlot): void;
  zoomOut(): void;
}

/** uPlot's options for one series: a min/max band, and the mean (or the readings) as a line. */
export function plotOptions(
  palette: Palette,
  width: number,
  height: number,
  hooks: PlotHooks,
): uPlot.Options {
  return {
    width,
    height,
    ms: 1,
    // uPlot's own rounds up to a millisecond ahead and then labels 18:00 as 17:59.
    tzDate: (ms) => new Date(Math.floor(ms)),
    legend: { show: false },
    scales: { x: { time: true, auto: false }, y: { range: yRange } },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { size: 7, width: 2, fill: () => palette.line },
      bind: {
        dblclick: () => () => {
          hooks.zoomOut();
          return null;
        },
      },
    },
    series: [
      {},
      {
        stroke: palette.line,
        width: 1.5,
        // Neighbours apart enough get a dot each; a reading alone between two gaps always does.
        points: { size: 4, fill: palette.line, stroke: palette.line, filter: loneOnes },
      },
      { stroke: "transparent", width: 0, points: { show: false } },
      { stroke: "transparent", width: 0, points: { show: false } },
    ],
    bands: [{ series: [3, 2], fill: palette.band }],
    axes: [xAxis(palette), yAxis(palette)],
    hooks: {
      setSelect: [hooks.select],
      setCursor: [hooks.cursor],
      drawClear: [hooks.gaps],
      draw: [hooks.drawn],
    },
  };
}

function xAxis(palette: Palette): uPlot.Axis {
  return {
    stroke: palette.ink,
    font: palette.font,
    size: 46,
    gap: 6,
    space: X_LABEL_PX,
    grid: { stroke: palette.grid, width: 1 },
    ticks: { stroke: palette.grid, width: 1, size: 6 },
    values: (_plot, splits, _axis, _space, step) => axisLabels(splits, step),
  };
}

function yAxis(palette: Palette): uPlot.Axis {
  return {
    stroke: palette.ink,
    font: palette.font,
    size: (_plot, values) =>
      Math.max(52, 18 + 7.4 * Math.max(0, ...(values ?? []).map((v) => v.length))),
    gap: 8,
    space: Y_LABEL_PX,
    grid: { stroke: palette.grid, width: 1 },
    ticks: { stroke: palette.grid, width: 1, size: 6 },
    // Without a reading in sight any number would be made up.
    values: (plot, splits, _axis, _space, step) =>
      Number.isFinite(plot.series[1]?.min) ? axisNumbers(splits, step) : splits.map(() => ""),
  };
}

/** A tenth of air above and below; a flat line gets room around it instead of a zero height. */
function yRange(_plot: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax {
  if (min === null || max === null) return [0, 1];
  const air = min === max ? Math.max(Math.abs(min) * 0.05, 0.5) : (max - min) * 0.1;
  return [min - air, max + air];
}

function loneOnes(plot: uPlot, index: number, show: boolean): number[] | null {
  if (show) return null;
  const column = plot.data[index] as (number | null)[];
  const [from, to] = plot.series[0]?.idxs ?? [0, column.length - 1];
  const lone: number[] = [];
  for (let i = from; i <= to; i++) {
    const alone = column[i - 1] == null && column[i + 1] == null;
    if (column[i] != null && alone) lone.push(i);
  }
  return lone;
}
