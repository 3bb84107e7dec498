import uPlot from "uplot";
import { hatchGaps } from "./gap-hatch.ts";
import { bindTouch, bindWheel } from "./gestures.ts";
import { type Palette, readPalette } from "./palette.ts";
import { NO_DATA, type PlotData } from "./plot-data.ts";
import { plotOptions } from "./plot-options.ts";
import type { Window } from "./window.ts";
import { fixed, pan, zoom } from "./window.ts";

/** Where the plot area is, and how to place things on it; pixels from its top left corner. */
export interface PlotFrame {
  left: number;
  top: number;
  width: number;
  height: number;
  xOf(us: number): number;
  yOf(value: number): number;
}

export interface PlotEvents {
  /** A gesture asks for this window; `settled` when the gesture is complete by itself. */
  windowAsked(window: Window, settled: boolean): void;
  zoomOut(): void;
  /** The cursor stands on this row of the data, or on none. */
  pointed(index: number | null): void;
  drawn(frame: PlotFrame): void;
}

/** A uPlot canvas for one series, spoken to in microseconds. */
export class Plot {
  private readonly events: PlotEvents;
  private readonly palette: Palette;
  private readonly chart: uPlot;
  private readonly unbind: (() => void)[];
  private data: PlotData = NO_DATA;
  private window: Window = { fromUs: 0, toUs: 1, edge: "still" };

  constructor(host: HTMLElement, events: PlotEvents) {
    this.events = events;
    this.palette = readPalette(host);
    const options = plotOptions(this.palette, host.clientWidth, host.clientHeight, {
      select: (chart) => this.selected(chart),
      cursor: (chart) => events.pointed(chart.cursor.idx ?? null),
      gaps: (chart) => hatchGaps(chart, this.data.gaps, this.palette.gap),
      drawn: (chart) => events.drawn(frameOf(chart)),
      zoomOut: events.zoomOut,
    });
    this.chart = new uPlot(options, [[], [], [], []], host);
    const target = {
      zoom: (factor: number, share: number) =>
        this.ask(
          zoom(
            this.window,
            factor,
            this.window.fromUs + share * (this.window.toUs - this.window.fromUs),
          ),
        ),
      pan: (share: number) => this.ask(pan(this.window, share)),
    };
    this.unbind = [bindWheel(this.chart.over, target), bindTouch(this.chart.over, target)];
  }

  /** Draw this data in this window; either may be the one already there. */
  show(data: PlotData, window: Window): void {
    const moved = window.fromUs !== this.window.fromUs || window.toUs !== this.window.toUs;
    const changed = data !== this.data;
    this.window = window;
    if (!moved && !changed) return;
    this.chart.batch(() => {
      if (changed) {
        this.data = data;
        this.chart.setData([data.x, data.mid, data.min, data.max], false);
      }
      this.chart.setScale("x", { min: window.fromUs / 1000, max: window.toUs / 1000 });
    });
  }

  resize(width: number, height: number): void {
    if (width !== this.chart.width || height !== this.chart.height)
      this.chart.setSize({ width, height });
  }

  destroy(): void {
    for (const off of this.unbind) off();
    this.chart.destroy();
  }

  private ask(window: Window): void {
    this.events.windowAsked(window, false);
  }

  private selected(chart: uPlot): void {
    const { left, width } = chart.select;
    if (width < 4) return;
    const fromUs = chart.posToVal(left, "x") * 1000;
    const toUs = chart.posToVal(left + width, "x") * 1000;
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.events.windowAsked(fixed(fromUs, toUs), true);
  }
}

function frameOf(chart: uPlot): PlotFrame {
  const { offsetLeft, offsetTop, clientWidth, clientHeight } = chart.over;
  const { min: xMin = 0, max: xMax = 1 } = chart.scales.x ?? {};
  const { min: yMin = 0, max: yMax = 1 } = chart.scales.y ?? {};
  const part = (v: number, from: number | null | undefined, to: number | null | undefined) =>
    (v - (from ?? 0)) / ((to ?? 1) - (from ?? 0) || 1);
  return {
    left: offsetLeft,
    top: offsetTop,
    width: clientWidth,
    height: clientHeight,
    xOf: (us) => part(us / 1000, xMin, xMax) * clientWidth,
    yOf: (value) => (1 - part(value, yMin, yMax)) * clientHeight,
  };
}
