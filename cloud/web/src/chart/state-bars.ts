import type uPlot from "uplot";
import type { Stretch } from "../api/types.ts";
import { measure } from "../format/number.ts";
import { firstFrom } from "./align.ts";
import type { Palette } from "./palette.ts";
import { NO_DATA, type PlotData } from "./plot-data.ts";

const INSET = 0.14;
const LABEL_PAD_PX = 6;
const LABEL_WIDTH_PX_MIN = 26;

/** What was said, as it is read. */
export function stateName(one: Pick<Stretch, "text" | "value">): string {
  return one.text ?? measure(one.value);
}

/** All that a series said in these stretches, in an order that does not depend on time. */
export function stateNames(stretches: readonly Stretch[]): string[] {
  const names = new Set(stretches.map(stateName));
  return [...names].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** The beginnings of stretches as points for the cursor; there is nothing to draw as a line. */
export function barsData(stretches: readonly Stretch[]): PlotData {
  return {
    ...NO_DATA,
    x: stretches.map((one) => one.from / 1000),
    mid: stretches.map(() => 0.5),
    min: stretches.map(() => null),
    max: stretches.map(() => null),
    count: stretches.map((one) => one.readings),
    text: stretches.map(stateName),
  };
}

/** The stretch in which an instant lies. */
export function stretchAt(stretches: readonly Stretch[], us: number): Stretch | undefined {
  const starts = stretches.map((one) => one.from);
  const one = stretches[firstFrom(starts, us + 1) - 1];
  return one && us < one.to ? one : undefined;
}

/** Draw stretches over the plot's whole height, each value in its colour, named where it fits. */
export function drawBars(plot: uPlot, stretches: readonly Stretch[], palette: Palette): void {
  const { ctx, bbox } = plot;
  const names = stateNames(stretches);
  const top = bbox.top + bbox.height * INSET;
  const height = bbox.height * (1 - 2 * INSET);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = scaled(palette.font);
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const one of stretches) {
    const left = Math.max(plot.valToPos(one.from / 1000, "x", true), bbox.left);
    const right = Math.min(plot.valToPos(one.to / 1000, "x", true), bbox.left + bbox.width);
    if (right <= left) continue;
    const name = stateName(one);
    const trace = palette.traces[names.indexOf(name) % palette.traces.length];
    ctx.fillStyle = trace?.band ?? palette.grid;
    ctx.fillRect(left, top, right - left, height);
    ctx.fillStyle = trace?.line ?? palette.ink;
    ctx.fillRect(left, top, Math.max(devicePixelRatio, 1), height);
    label(ctx, name, left, right, top + height / 2, palette);
  }
  ctx.restore();
}

function label(
  ctx: CanvasRenderingContext2D,
  name: string,
  left: number,
  right: number,
  y: number,
  palette: Palette,
): void {
  const pad = LABEL_PAD_PX * devicePixelRatio;
  const room = right - left - 2 * pad;
  if (room < LABEL_WIDTH_PX_MIN * devicePixelRatio || ctx.measureText(name).width > room) return;
  ctx.fillStyle = palette.label;
  ctx.fillText(name, left + pad, y);
}

/** A font of the page in the canvas's own pixels. */
function scaled(font: string): string {
  return font.replace(/(\d+)px/, (_all, size) => `${Number(size) * devicePixelRatio}px`);
}
