import { measure, plural } from "../format/number.ts";
import { clockTime, DAY_US, instant, zoneName } from "../format/time.ts";
import { shownZone } from "../format/zone.ts";
import { rowAt } from "./align.ts";
import type { PanelLine } from "./panels.ts";
import { stateName, stretchAt } from "./state-bars.ts";
import type { ChartHistory } from "./use-histories.ts";
import type { Window } from "./window.ts";

/** A series as the chart shows it: what it is, and what was found of it. */
export interface Shown extends PanelLine {
  history: ChartHistory;
}

interface Props {
  shown: readonly Shown[];
  window: Window;
  pointedUs: number | null;
}

/** One line above the chart: what stands under the cursor, or the window when it is elsewhere. */
export function Readout({ shown, window, pointedUs }: Props) {
  const [only] = shown;
  if (pointedUs === null || !only) return <WindowLine window={window} />;
  if (shown.length > 1) return <Several shown={shown} window={window} us={pointedUs} />;
  const { data, stretches } = only.history;
  const stretch = stretchAt(stretches, pointedUs);
  if (stretch) {
    return (
      <p class="readout" data-testid="readout">
        <span class="readout-when">{instant(pointedUs, finestUs(window))}</span>
        <span>{stateName(stretch)}</span>
        <span class="quiet">
          {instant(stretch.from)} – {instant(stretch.to)}
        </span>
      </p>
    );
  }
  const row = rowAt(data, pointedUs);
  if (row === undefined || data.mid[row] == null) return <WindowLine window={window} />;
  const us = (data.x[row] ?? 0) * 1000;
  if (data.bucketUs === null) {
    return (
      <p class="readout" data-testid="readout">
        <span class="readout-when">{instant(us, 1000)}</span>
        <Pair name="value" value={data.mid[row]} />
      </p>
    );
  }
  return (
    <p class="readout" data-testid="readout">
      <span class="readout-when">{bucketName(us - data.bucketUs / 2, data.bucketUs)}</span>
      <Pair name="mean" value={data.mid[row]} />
      <Pair name="min" value={data.min[row]} />
      <Pair name="max" value={data.max[row]} />
      <span class="quiet">{plural(data.count[row] ?? 0, "reading")}</span>
    </p>
  );
}

/** Every series at one instant, in its colour. */
function Several({ shown, window, us }: { shown: readonly Shown[]; window: Window; us: number }) {
  return (
    <p class="readout" data-testid="readout">
      <span class="readout-when">{instant(us, finestUs(window))}</span>
      {shown.map((one) => (
        <span class="pair" key={one.facts.id} data-series={one.facts.id}>
          <i class={`swatch trace-${one.colour + 1}`} aria-hidden="true" />{" "}
          <span class="quiet">{one.facts.metric}</span> {valueAt(one, us)}
        </span>
      ))}
    </p>
  );
}

function valueAt({ facts, history }: Shown, us: number): string {
  const stretch = stretchAt(history.stretches, us);
  if (stretch) return stateName(stretch);
  const row = rowAt(history.data, us);
  if (row === undefined) return "–";
  return `${measure(history.data.mid[row])} ${facts.unit}`;
}

/** How fine a moment of a window is worth telling. */
function finestUs(window: Window): number {
  return (window.toUs - window.fromUs) / 1000;
}

function WindowLine({ window }: { window: Window }) {
  const step = (window.toUs - window.fromUs) / 100;
  return (
    <p class="readout" data-testid="readout">
      <span class="readout-when">
        {instant(window.fromUs, step)} <span class="quiet">to</span>{" "}
        {window.edge === "present" ? "now" : instant(window.toUs, step)}
      </span>
      <span class="readout-zone quiet" data-testid="zone-name">
        times in {zoneName()}
        {zoneName() !== "UTC" && `, ${offsets(window)}`}
      </span>
    </p>
  );
}

/** The distance from UTC within a window, or both where the clocks change in it. */
function offsets({ fromUs, toUs }: Window): string {
  const { zone } = shownZone;
  const [before, after] = [zone.offsetName(fromUs / 1000), zone.offsetName(toUs / 1000)];
  return before === after ? after : `${before} then ${after}`;
}

function Pair({ name, value }: { name: string; value: number | null | undefined }) {
  return (
    <span class="pair">
      <span class="quiet">{name}</span> {measure(value)}
    </span>
  );
}

/** The stretch a bucket covers: a day by its date, anything else from–to. */
export function bucketName(fromUs: number, bucketUs: number): string {
  const wall = shownZone.zone.wall(fromUs / 1000);
  const whole = bucketUs >= DAY_US && wall.getUTCHours() + wall.getUTCMinutes() === 0;
  if (whole && bucketUs === DAY_US) return instant(fromUs, DAY_US);
  if (bucketUs >= DAY_US) {
    const step = whole ? DAY_US : DAY_US / 24 / 60;
    return `${instant(fromUs, step)} – ${instant(fromUs + bucketUs, step)}`;
  }
  return `${instant(fromUs, bucketUs)} – ${clockTime(fromUs + bucketUs, bucketUs)}`;
}
