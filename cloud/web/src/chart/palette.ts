import { SERIES_MAX } from "./chart-address.ts";

/** One series' colours: of its line, and of the band between its minimum and maximum. */
export interface Trace {
  line: string;
  band: string;
}

/** Colours of the canvas, taken from the style sheet so that they live in one place. */
export interface Palette {
  ink: string;
  /** Of text on a bar. */
  label: string;
  grid: string;
  traces: Trace[];
  gap: string;
  font: string;
}

/** Resolve the theme's colours. A custom property holds `light-dark(…)`; only a real one is computed. */
export function readPalette(host: HTMLElement): Palette {
  const probe = document.createElement("i");
  host.append(probe);
  const computed = getComputedStyle(probe);
  const colour = (value: string) => {
    probe.style.color = value;
    return computed.color;
  };
  const palette = {
    ink: colour("var(--ink-2)"),
    label: colour("var(--ink)"),
    grid: colour("var(--grid)"),
    traces: Array.from({ length: SERIES_MAX }, (_, i) => ({
      line: colour(`var(--trace-${i + 1})`),
      band: colour(`color-mix(in srgb, var(--trace-${i + 1}) 22%, transparent)`),
    })),
    gap: colour("var(--gap)"),
    font: `12px ${computed.fontFamily}`,
  };
  probe.remove();
  return palette;
}
