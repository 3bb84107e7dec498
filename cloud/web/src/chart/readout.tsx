import { measure, plural } from "../format/number.ts";
import { clockTime, DAY_US, instant, zoneName } from "../format/time.ts";
import type { PlotData } from "./plot-data.ts";
import type { Window } from "./window.ts";

/** One line above the chart: what stands under the cursor, or the window when it is elsewhere. */
export function Readout({
  data,
  window,
  index,
}: {
  data: PlotData;
  window: Window;
  index: number | null;
}) {
  const ms = index === null ? undefined : data.x[index];
  if (index === null || ms === undefined || data.mid[index] == null) {
    return <WindowLine window={window} />;
  }
  if (data.bucketUs === null) {
    return (
      <p class="readout" data-testid="readout">
        <span class="readout-when">{instant(ms * 1000, 1000)}</span>
        <Pair name="value" value={data.mid[index]} />
      </p>
    );
  }
  return (
    <p class="readout" data-testid="readout">
      <span class="readout-when">{bucketName(ms * 1000 - data.bucketUs / 2, data.bucketUs)}</span>
      <Pair name="mean" value={data.mid[index]} />
      <Pair name="min" value={data.min[index]} />
      <Pair name="max" value={data.max[index]} />
      <span class="quiet">{plural(data.count[index] ?? 0, "reading")}</span>
    </p>
  );
}

function WindowLine({ window }: { window: Window }) {
  const step = (window.toUs - window.fromUs) / 100;
  return (
    <p class="readout" data-testid="readout">
      <span class="readout-when">
        {instant(window.fromUs, step)} <span class="quiet">to</span>{" "}
        {window.edge === "present" ? "now" : instant(window.toUs, step)}
      </span>
      <span class="readout-zone quiet">times in {zoneName()}</span>
    </p>
  );
}

function Pair({ name, value }: { name: string; value: number | null | undefined }) {
  return (
    <span class="pair">
      <span class="quiet">{name}</span> {measure(value)}
    </span>
  );
}

/** The stretch a bucket covers: a day by its date, anything shorter from–to. */
export function bucketName(fromUs: number, bucketUs: number): string {
  if (bucketUs === DAY_US) return instant(fromUs, DAY_US);
  if (bucketUs > DAY_US)
    return `${instant(fromUs, DAY_US)} – ${instant(fromUs + bucketUs, DAY_US)}`;
  return `${instant(fromUs, bucketUs)} – ${clockTime(fromUs + bucketUs, bucketUs)}`;
}
