import uPlot from "uplot";
import type { Stretch } from "../api/types.ts";
import { align, firstFrom } from "./align.ts";
import { hatchGaps } from "./gap-hatch.ts";
import { bindTouch, bindWheel } from "./gestures.ts";
import { type Palette, readPalette } from "./palette.ts";
import type { PlotData } from "./plot-data.ts";
import { type PlotShape, plotOptions } from "./plot-options.ts";
import { barsData, drawBars } from "./state-bars.ts";
import type { Window } from "./window.ts";
import { fixed, pan, zoom } from "./window.ts";

/** Where the plot area is, and how to place things on it; pixels from its top left corner. */
export interface PlotFrame {
  left: number;
  top: number;
  width: number;
  height: number;
  xOf(us: number): number;
  /** Of a value of one of its series. */
  yOf(value: number, series: string): number;
}

export interface PlotEvents {
  /** A gesture asks for this window; `settled` when the gesture is complete by itself. */
  windowAsked(window: Window, settled: boolean): void;
  /** A stretch was brushed. */
  brushed(fromUs: number, toUs: number): void;
  zoomOut(): void;
  /** The cursor stands on this instant, or on none. */
  pointed(us: number | null): void;
  drawn(frame: PlotFrame): void;
}

/** What a plot shows: the data of its lines in their order, or the stretches of its bars. */
export interface PlotContent {
  lines: readonly PlotData[];
  stretches: readonly Stretch[];
}

/** A uPlot canvas for the series of one panel, spoken to in microseconds. */
export class Plot {
  private readonly events: PlotEvents;
  private readonly palette: Palette;
  private readonly chart: uPlot;
  private readonly unbind: (() => void)[];
  private readonly shape: PlotShape;
  private content: PlotContent = { lines: [], stretches: [] };
  private window: Window = { fromUs: 0, toUs: 1, edge: "still" };
  /** The hand is on this plot, and not on another of the chart. */
  private pointing = false;

  constructor(host: HTMLElement, shape: PlotShape, events: PlotEvents) {
    this.events = events;
    this.shape = shape;
    this.palette = readPalette(host);
    const options = plotOptions(this.palette, shape, host.clientWidth, host.clientHeight, {
      select: (chart) => this.selected(chart),
      cursor: (chart) => this.moved(chart),
      below: (chart) => this.drawBelow(chart),
      drawn: (chart) => events.drawn(frameOf(chart, shape)),
      zoomOut: events.zoomOut,
    });
    const empty = [[], ...shape.lines.flatMap(() => [[], [], []])] as uPlot.AlignedData;
    this.chart = new uPlot(options, empty, host);
    this.unbind = [
      bindWheel(this.chart.over, this.target),
      bindTouch(this.chart.over, this.target),
      this.bindHand(),
    ];
  }

  /** Draw this content in this window; either may be the one already there. */
  show(content: PlotContent, window: Window): void {
    const moved = window.fromUs !== this.window.fromUs || window.toUs !== this.window.toUs;
    const changed =
      content.stretches !== this.content.stretches ||
      content.lines.length !== this.content.lines.length ||
      content.lines.some((one, i) => one !== this.content.lines[i]);
    this.window = window;
    if (!moved && !changed) return;
    this.chart.batch(() => {
      if (changed) {
        this.content = content;
        const drawn = this.shape.bars ? [barsData(content.stretches)] : content.lines;
        const { x, columns } = align(drawn);
        this.chart.setData([x, ...columns] as uPlot.AlignedData, false);
      }
      this.chart.setScale("x", { min: window.fromUs / 1000, max: window.toUs / 1000 });
    });
  }

  /** Put the cursor where it stands in another plot. */
  point(us: number | null): void {
    if (this.pointing) return;
    const outside = us === null || us < this.window.fromUs || us > this.window.toUs;
    const left = outside ? -10 : this.chart.valToPos(us / 1000, "x");
    this.chart.setCursor({ left, top: outside ? -10 : 0 }, false);
  }

  resize(width: number, height: number): void {
    if (width !== this.chart.width || height !== this.chart.height)
      this.chart.setSize({ width, height });
  }

  destroy(): void {
    for (const off of this.unbind) off();
    this.chart.destroy();
  }

  private readonly target = {
    zoom: (factor: number, share: number) => {
      const { fromUs, toUs } = this.window;
      this.ask(zoom(this.window, factor, fromUs + share * (toUs - fromUs)));
    },
    pan: (share: number) => this.ask(pan(this.window, share)),
  };

  private ask(window: Window): void {
    this.events.windowAsked(window, false);
  }

  private bindHand(): () => void {
    const { over } = this.chart;
    const enter = () => {
      this.pointing = true;
    };
    const leave = () => {
      this.pointing = false;
      this.events.pointed(null);
    };
    over.addEventListener("mouseenter", enter);
    over.addEventListener("mouseleave", leave);
    return () => {
      over.removeEventListener("mouseenter", enter);
      over.removeEventListener("mouseleave", leave);
    };
  }

  private moved(chart: uPlot): void {
    if (!this.pointing) return;
    const { left } = chart.cursor;
    if (left === undefined || left < 0) this.events.pointed(null);
    else this.events.pointed(this.instantAt(chart, chart.posToVal(left, "x")));
  }

  /** The nearest point's own time; of bars the very instant. */
  private instantAt(chart: uPlot, ms: number): number {
    const x = chart.data[0];
    if (this.shape.bars || x.length === 0) return ms * 1000;
    const behind = firstFrom(x, ms);
    const before = x[behind - 1] ?? Number.NEGATIVE_INFINITY;
    const after = x[behind] ?? Number.POSITIVE_INFINITY;
    return (ms - before < after - ms ? before : after) * 1000;
  }

  private selected(chart: uPlot): void {
    const { left, width } = chart.select;
    if (width < 4) return;
    const fromUs = chart.posToVal(left, "x") * 1000;
    const toUs = chart.posToVal(left + width, "x") * 1000;
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    const { fromUs: from, toUs: to } = fixed(fromUs, toUs);
    this.events.brushed(from, to);
  }

  private drawBelow(chart: uPlot): void {
    if (this.shape.bars) {
      drawBars(chart, this.content.stretches, this.palette);
      return;
    }
    // The gaps of several lines at once would say nothing of any.
    const [only, more] = this.content.lines;
    if (only && !more) hatchGaps(chart, only.gaps, this.palette.gap);
  }
}

function frameOf(chart: uPlot, shape: PlotShape): PlotFrame {
  const { offsetLeft, offsetTop, clientWidth, clientHeight } = chart.over;
  const part = (v: number, scale: string) => {
    const { min, max } = chart.scales[scale] ?? {};
    return (v - (min ?? 0)) / ((max ?? 1) - (min ?? 0) || 1);
  };
  const { min: xMin, max: xMax } = chart.scales.x ?? {};
  const axisOf = new Map(shape.lines.map((one) => [one.id, one.axis]));
  return {
    left: offsetLeft,
    top: offsetTop,
    width: clientWidth,
    height: clientHeight,
    xOf: (us) => ((us / 1000 - (xMin ?? 0)) / ((xMax ?? 1) - (xMin ?? 0) || 1)) * clientWidth,
    yOf: (value, series) => (1 - part(value, axisOf.get(series) ?? "y")) * clientHeight,
  };
}
