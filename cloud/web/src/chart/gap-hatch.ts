import type uPlot from "uplot";

const STRIPE_PX = 7;
/** Narrower gaps than this are a break in the line, not an area to hatch. */
const WIDTH_PX_MIN = 3;

/** Hatch the stretches without data, behind everything else. */
export function hatchGaps(plot: uPlot, gaps: readonly [number, number][], colour: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  for (const [fromUs, toUs] of gaps) {
    const left = Math.max(plot.valToPos(fromUs / 1000, "x", true), bbox.left);
    const right = Math.min(plot.valToPos(toUs / 1000, "x", true), bbox.left + bbox.width);
    if (right - left >= WIDTH_PX_MIN * devicePixelRatio) hatch(ctx, bbox, left, right);
  }
  ctx.restore();
}

function hatch(ctx: CanvasRenderingContext2D, bbox: uPlot.BBox, left: number, right: number): void {
  const step = STRIPE_PX * devicePixelRatio;
  const bottom = bbox.top + bbox.height;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.beginPath();
  // Stripes are anchored to the plot, not to the gap, so that they stand still while time moves.
  const first = Math.floor((left - bbox.height - bbox.left) / step) * step + bbox.left;
  for (let x = first; x < right; x += step) {
    ctx.moveTo(x, bottom);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}
