import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { History, Series, Status } from "../api/types.ts";
import { plotData } from "../chart/plot-data.ts";
import { byName } from "../format/natural.ts";
import { plural } from "../format/number.ts";
import { DAY_US } from "../format/time.ts";
import { Failure } from "../parts/failure.tsx";
import { Name } from "../parts/name.tsx";
import { MetricRow } from "./metric-row.tsx";
import type { Spark } from "./sparkline.tsx";

const EVERY_MS = 5_000;
const SERIES_MAX = 1_000;
const SPARK_MS = 30_000;
const SPARK_POINTS = 96;
/** Beyond this many metrics the small pictures cost more than they tell. */
const SPARKS_MAX = 40;

/** One device: each metric with its latest value and its last day. */
export function DeviceView({ gateway, device }: { gateway: string; device: string }) {
  const polled = usePolled(`device ${gateway}/${device}`, EVERY_MS, async (signal) => {
    const [found, status] = await Promise.all([
      getJson<{ series: Series[] }>("series", { gateway, device, limit: SERIES_MAX }, signal),
      getJson<Status>("status", {}, signal),
    ]);
    serverClock.learn(status.now);
    return found;
  });
  const series = polled.value?.series ?? [];
  const sparks = useSparks(series);
  if (!polled.value) {
    return polled.error ? <Failure error={polled.error} /> : <p class="quiet">Loading…</p>;
  }
  if (series.length === 0) {
    return (
      <p class="notice" data-testid="not-found">
        No device named {device} has been heard through gateway {gateway}.
      </p>
    );
  }
  const sorted = series.toSorted((a, b) => byName(a.metric, b.metric));
  const { fromUs, toUs } = sparkStretch(series);
  const young = toUs - fromUs < DAY_US;
  const anomalies = series.reduce((sum, one) => sum + one.anomalies, 0);
  return (
    <>
      {polled.error && <Failure error={polled.error} kept />}
      <header class="view-head">
        <h1>
          <Name text={device} />
        </h1>
        <p class="quiet">
          {plural(series.length, "metric")}, {plural(anomalies, "anomaly", "anomalies")}
        </p>
      </header>
      <div class="table-frame">
        <table class="metrics" data-testid="metrics">
          <thead>
            <tr>
              <th scope="col">Metric</th>
              <th scope="col" class="num">
                Latest
              </th>
              <th scope="col">{young ? "So far" : "Last 24 h"}</th>
              <th scope="col">Last reading</th>
              <th scope="col" class="num">
                Readings
              </th>
              <th scope="col" class="num">
                Anomalies
              </th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((one) => (
              <MetricRow
                key={one.id}
                series={one}
                spark={sparks?.get(one.id)}
                nowUs={serverClock.nowUs()}
              />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

interface Stretch {
  fromUs: number;
  toUs: number;
}

/** The last day of a device's data, or all of it while it is younger than that. */
function sparkStretch(series: Series[]): Stretch {
  const toUs = Math.max(0, ...series.map((one) => one.last_ts ?? 0)) + 1;
  const firstUs = Math.min(toUs - 1, ...series.map((one) => one.first_ts ?? toUs - 1));
  return { fromUs: Math.max(firstUs, toUs - DAY_US), toUs };
}

/** The small pictures of every metric, in one request. */
function useSparks(series: Series[]): Map<string, Spark> | undefined {
  const drawn = series.slice(0, SPARKS_MAX);
  const ids = drawn.map((one) => one.id).join(",");
  const stretch = sparkStretch(drawn);
  const polled = usePolled(`sparks ${ids}`, SPARK_MS, async (signal) => {
    if (ids === "") return undefined;
    const asked = { series: ids, from: stretch.fromUs, to: stretch.toUs, points: SPARK_POINTS };
    return { history: await getJson<History>("history", asked, signal), stretch };
  });
  if (!polled.value) return undefined;
  const { history, stretch: shown } = polled.value;
  return new Map(drawn.map((one) => [one.id, { data: plotData(history, one.id), ...shown }]));
}
