/** Colours of the canvas, taken from the style sheet so that they live in one place. */
export interface Palette {
  ink: string;
  grid: string;
  line: string;
  band: string;
  gap: string;
  font: string;
}

/** Resolve the theme's colours. A custom property holds `light-dark(…)`; only a real one is computed. */
export function readPalette(host: HTMLElement): Palette {
  const probe = document.createElement("i");
  host.append(probe);
  const computed = getComputedStyle(probe);
  const colour = (name: string) => {
    probe.style.color = `var(${name})`;
    return computed.color;
  };
  const palette = {
    ink: colour("--ink-2"),
    grid: colour("--grid"),
    line: colour("--trace"),
    band: colour("--band"),
    gap: colour("--gap"),
    font: `12px ${computed.fontFamily}`,
  };
  probe.remove();
  return palette;
}
