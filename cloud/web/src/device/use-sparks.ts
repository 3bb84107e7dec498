import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import type { History, Series } from "../api/types.ts";
import { plotData } from "../chart/plot-data.ts";
import { DAY_US } from "../format/time.ts";
import type { Spark } from "./sparkline.tsx";

const SPARK_MS = 30_000;
const SPARK_POINTS = 96;
/** Beyond this many series at once the small pictures cost more than they tell. */
export const SPARKS_MAX = 40;

export interface Stretch {
  fromUs: number;
  toUs: number;
}

/** The last day of what some series have, or all of it while they are younger than that. */
export function sparkStretch(series: readonly Series[]): Stretch {
  const toUs = Math.max(0, ...series.map((one) => one.last_ts ?? 0)) + 1;
  const firstUs = Math.min(toUs - 1, ...series.map((one) => one.first_ts ?? toUs - 1));
  return { fromUs: Math.max(firstUs, toUs - DAY_US), toUs };
}

/** The small pictures of some series over one stretch, in one request. */
export function useSparks(
  series: readonly Series[],
  stretch: Stretch,
): Map<string, Spark> | undefined {
  const drawn = series.slice(0, SPARKS_MAX).filter((one) => one.last_text === null);
  const ids = drawn.map((one) => one.id).join(",");
  const polled = usePolled(`sparks ${ids}`, SPARK_MS, async (signal) => {
    if (ids === "") return undefined;
    const asked = { series: ids, from: stretch.fromUs, to: stretch.toUs, points: SPARK_POINTS };
    return { history: await getJson<History>("history", asked, signal), stretch };
  });
  if (!polled.value) return undefined;
  const { history, stretch: shown } = polled.value;
  return new Map(drawn.map((one) => [one.id, { data: plotData(history, one.id), ...shown }]));
}
