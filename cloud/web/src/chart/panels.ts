import type { Series } from "../api/types.ts";
import type { Layout } from "./chart-address.ts";

/** Value axes of one plot: one on either side. */
const AXES_MAX = 2;

/** One series in a panel: which colour it has in all of them, and which axis. */
export interface PanelLine {
  facts: Series;
  /** From 0; the same in plot, legend and table. */
  colour: number;
  axis: "y" | "y2";
}

/** One plot. Those of one chart stand below each other on the same stretch of time. */
export interface Panel {
  key: string;
  lines: PanelLine[];
  /** Stretches of states rather than lines. */
  bars: boolean;
  /** Of its axes, the left one first. */
  units: string[];
}

/** Whether a series is drawn as bars: it says states, or words. */
export function isBars(facts: Series): boolean {
  return facts.kind === "state" || facts.last_text !== null;
}

/**
 * Lay series out: stacked each has its own plot. Compared they share one as long as its two axes
 * serve their units; a third unit begins the next. States always stand alone.
 */
export function panelsOf(series: readonly Series[], layout: Layout): Panel[] {
  const panels: Panel[] = [];
  series.forEach((facts, colour) => {
    const bars = isBars(facts);
    const open =
      layout === "compare" && !bars
        ? panels.find((one) => !one.bars && fits(one, facts.unit))
        : undefined;
    const panel = open ?? { key: facts.id, lines: [], bars, units: [] };
    if (!open) panels.push(panel);
    if (!panel.units.includes(facts.unit)) panel.units.push(facts.unit);
    const axis = panel.units.indexOf(facts.unit) === 1 ? "y2" : "y";
    panel.lines.push({ facts, colour, axis });
  });
  return panels.map((one) => ({ ...one, key: one.lines.map(({ facts }) => facts.id).join(" ") }));
}

function fits(panel: Panel, unit: string): boolean {
  return panel.units.includes(unit) || panel.units.length < AXES_MAX;
}
