import { DAY_US, HOUR_US } from "../format/time.ts";
import { type Range, sameRange } from "../route.ts";
import type { WindowControl } from "./use-window.ts";
import { pan, zoom } from "./window.ts";

const PRESETS: [string, Range][] = [
  ["1 h", { kind: "last", spanUs: HOUR_US }],
  ["24 h", { kind: "last", spanUs: DAY_US }],
  ["7 d", { kind: "last", spanUs: 7 * DAY_US }],
  ["30 d", { kind: "last", spanUs: 30 * DAY_US }],
  ["All", { kind: "all" }],
];

interface Props {
  range: Range;
  control: WindowControl;
  onKeys(): void;
}

/** Which stretch of time: presets, steps, and the way back out; and the keys that do the same. */
export function RangeBar({ range, control, onKeys }: Props) {
  const { window } = control;
  const middle = (window.fromUs + window.toUs) / 2;
  return (
    <div class="range-bar">
      <fieldset class="keys" aria-label="Range">
        {PRESETS.map(([name, preset]) => (
          <button
            type="button"
            key={name}
            aria-pressed={sameRange(preset, range)}
            data-testid={`preset-${name.replace(" ", "").toLowerCase()}`}
            onClick={() => control.choose(preset)}
          >
            {name}
          </button>
        ))}
      </fieldset>
      <button type="button" class="small-key keyboard" data-testid="show-keys" onClick={onKeys}>
        Keys <kbd>?</kbd>
      </button>
      <fieldset class="keys" aria-label="Move and zoom">
        <Key name="Earlier" sign="←" act={() => control.ask(pan(window, -0.5), true)} />
        <Key name="Later" sign="→" act={() => control.ask(pan(window, 0.5), true)} />
        <Key name="Zoom in" sign="+" act={() => control.ask(zoom(window, 0.5, middle), true)} />
        <Key name="Zoom out" sign="−" id="zoom-out" act={() => control.zoomOut()} />
        <button type="button" data-testid="reset" onClick={() => control.reset()}>
          Reset
        </button>
      </fieldset>
    </div>
  );
}

function Key({ name, sign, act, id }: { name: string; sign: string; act(): void; id?: string }) {
  return (
    <button
      type="button"
      class="sign"
      aria-label={name}
      title={name}
      data-testid={id}
      onClick={act}
    >
      {sign}
    </button>
  );
}
