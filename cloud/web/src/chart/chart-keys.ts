import type { Key } from "./use-keys.ts";
import type { WindowControl } from "./use-window.ts";
import { pan, zoom } from "./window.ts";

const PAN = 0.1;
const ZOOM = 0.6;

/** The key of who may mark. */
export const MARK_KEY = {
  keys: ["m"],
  shown: "m",
  says: "mark: a drag over the chart marks",
};

/** The keys that move a chart's window. */
export function windowKeys(control: WindowControl): Key[] {
  const { window } = control;
  const middle = (window.fromUs + window.toUs) / 2;
  return [
    {
      keys: ["ArrowLeft"],
      shown: "←",
      says: "earlier, by a tenth of the window",
      act: () => control.ask(pan(window, -PAN), false),
    },
    {
      keys: ["ArrowRight"],
      shown: "→",
      says: "later, by a tenth of the window",
      act: () => control.ask(pan(window, PAN), false),
    },
    {
      keys: ["+", "="],
      shown: "+",
      says: "zoom in",
      act: () => control.ask(zoom(window, ZOOM, middle), false),
    },
    {
      keys: ["-"],
      shown: "−",
      says: "zoom out",
      act: () => control.ask(zoom(window, 1 / ZOOM, middle), false),
    },
    { keys: ["0"], shown: "0", says: "back to where zooming began", act: () => control.reset() },
    {
      keys: ["Backspace"],
      shown: "Backspace",
      says: "undo the last zoom",
      act: () => control.zoomOut(),
    },
  ];
}
