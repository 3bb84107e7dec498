import type uPlot from "uplot";
import { axisNumbers } from "../format/axis-number.ts";
import { axisLabels } from "../format/axis-time.ts";
import type { Zone } from "../format/zone.ts";
import { zoneTicks } from "../format/zone-ticks.ts";
import type { Palette } from "./palette.ts";

const X_LABEL_PX = 76;
const Y_LABEL_PX = 44;
const X_AXIS_PX = 46;
/** Room for the flags of anomalies above the highest reading's ring. */
const RAIL_PX = 24;

export interface PlotLine {
  id: string;
  /** Index into the palette's traces. */
  colour: number;
  axis: "y" | "y2";
}

/** What a plot is made of, beside its data. */
export interface PlotShape {
  lines: readonly PlotLine[];
  bars: boolean;
  /** Plots below each other begin at the same place: their axes are so wide; otherwise as needed. */
  axisPx: number | undefined;
  /** There is an axis on the right, here or in another plot of the chart. */
  right: boolean;
  /** Whose clocks the time axis shows. */
  zone: Zone;
}

export interface PlotHooks {
  select(plot: uPlot): void;
  cursor(plot: uPlot): void;
  /** What lies behind the lines. */
  below(plot: uPlot): void;
  drawn(plot: uPlot): void;
  zoomOut(): void;
}

/** uPlot's options: of each series a min/max band, and the mean (or the readings) as a line. */
export function plotOptions(
  palette: Palette,
  shape: PlotShape,
  width: number,
  height: number,
  hooks: PlotHooks,
): uPlot.Options {
  const bars = shape.bars;
  const right = shape.right || shape.lines.some((one) => one.axis === "y2");
  return {
    width,
    height,
    ms: 1,
    legend: { show: false },
    scales: {
      x: { time: true, auto: false },
      y: { range: bars ? [0, 1] : yRange },
      ...(right ? { y2: { range: yRange } } : {}),
    },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { show: !bars, size: 7, width: 2, fill: (plot, at) => colourOf(plot, at, palette) },
      bind: {
        dblclick: () => () => {
          hooks.zoomOut();
          return null;
        },
      },
    },
    series: [{}, ...shape.lines.flatMap((line) => seriesOf(line, palette, bars))],
    bands: bars
      ? []
      : shape.lines.map((line, i) => ({
          series: [3 * i + 3, 3 * i + 2] as uPlot.Band.Bounds,
          fill: palette.traces[line.colour]?.band ?? palette.grid,
        })),
    axes: [
      xAxis(palette, shape),
      yAxis(palette, shape, "y"),
      ...(right ? [yAxis(palette, shape, "y2")] : []),
    ],
    hooks: {
      setSelect: [hooks.select],
      setCursor: [hooks.cursor],
      drawClear: [hooks.below],
      draw: [hooks.drawn],
    },
  };
}

function seriesOf(line: PlotLine, palette: Palette, bars: boolean): uPlot.Series[] {
  const stroke = palette.traces[line.colour]?.line ?? palette.ink;
  const scale = line.axis;
  const edge = { scale, stroke: "transparent", width: 0, points: { show: false } };
  if (bars) return [{ ...edge }, { ...edge }, { ...edge }];
  return [
    {
      scale,
      stroke,
      width: 1.5,
      // Neighbours apart enough get a dot each; a reading alone between two gaps always does.
      points: { size: 4, fill: stroke, stroke, filter: loneOnes },
    },
    { ...edge },
    { ...edge },
  ];
}

function colourOf(plot: uPlot, at: number, palette: Palette): string {
  const stroke = plot.series[at]?.stroke;
  const found = typeof stroke === "function" ? stroke(plot, at) : stroke;
  return typeof found === "string" ? found : palette.ink;
}

function xAxis(palette: Palette, shape: PlotShape): uPlot.Axis {
  return {
    stroke: palette.ink,
    font: palette.font,
    size: X_AXIS_PX,
    gap: 6,
    space: X_LABEL_PX,
    grid: { stroke: palette.grid, width: 1 },
    ticks: { stroke: palette.grid, width: 1, size: 6 },
    splits: (_plot, _axis, min, max, step) => zoneTicks(min, max, step, shape.zone),
    values: (_plot, splits, _axis, _space, step) => axisLabels(splits, step),
  };
}

function yAxis(palette: Palette, shape: PlotShape, scale: "y" | "y2"): uPlot.Axis {
  const at = shape.lines.findIndex((one) => one.axis === scale);
  const colours = new Set(shape.lines.filter((one) => one.axis === scale).map((one) => one.colour));
  const [only = 0] = colours;
  const two = shape.lines.some((one) => one.axis === "y2");
  const ink = two && colours.size === 1 ? palette.traces[only]?.line : undefined;
  return {
    scale,
    side: scale === "y" ? 3 : 1,
    stroke: ink ?? palette.ink,
    font: palette.font,
    size: (_plot, values) => shape.axisPx ?? widthOf(values ?? []),
    gap: 8,
    space: Y_LABEL_PX,
    grid: { show: scale === "y" && !shape.bars, stroke: palette.grid, width: 1 },
    ticks: { show: !shape.bars, stroke: palette.grid, width: 1, size: 6 },
    // Without a reading in sight any number would be made up.
    values: (plot, splits, _axis, _space, step) =>
      !shape.bars && at >= 0 && hasReading(plot, shape, scale)
        ? axisNumbers(splits, step)
        : splits.map(() => ""),
  };
}

function widthOf(values: readonly string[]): number {
  return Math.max(52, 18 + 7.4 * Math.max(0, ...values.map((v) => v.length)));
}

function hasReading(plot: uPlot, shape: PlotShape, scale: string): boolean {
  return shape.lines.some(
    (one, i) => one.axis === scale && Number.isFinite(plot.series[3 * i + 1]?.min),
  );
}

/** A tenth of air above and below; a flat line gets room around it instead of a zero height. */
function yRange(plot: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax {
  if (min === null || max === null) return [0, 1];
  const air = min === max ? Math.max(Math.abs(min) * 0.05, 0.5) : (max - min) * 0.1;
  const heightPx = plot.bbox.height / devicePixelRatio;
  const rail = heightPx > 2 * RAIL_PX ? ((max - min) * 1.1 * RAIL_PX) / (heightPx - RAIL_PX) : 0;
  return [min - air, max + Math.max(air, rail)];
}

/** Rows with a reading and no neighbour to draw a line to; cells of other lines are passed over. */
function loneOnes(plot: uPlot, index: number, show: boolean): number[] | null {
  if (show) return null;
  const column = plot.data[index] as (number | null | undefined)[];
  const [from, to] = plot.series[0]?.idxs ?? [0, column.length - 1];
  const lone: number[] = [];
  let before: number | null = null;
  let last: number | undefined;
  for (let i = from; i <= to; i++) {
    const value = column[i];
    if (value === undefined) continue;
    if (value === null) {
      if (last !== undefined && before === null) lone.push(last);
      before = null;
      last = undefined;
    } else {
      before = last === undefined ? null : (column[last] ?? null);
      last = i;
    }
  }
  if (last !== undefined && before === null) lone.push(last);
  return lone;
}
