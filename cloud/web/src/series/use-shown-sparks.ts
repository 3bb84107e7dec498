import { useEffect, useRef, useState } from "preact/hooks";
import { getJson } from "../api/client.ts";
import { asApiError } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { History, Series } from "../api/types.ts";
import { plotData } from "../chart/plot-data.ts";
import type { Spark } from "../device/sparkline.tsx";
import { DAY_US } from "../format/time.ts";

/** Nothing is asked while rows pass by: only once scrolling rests. */
const REST_MS = 250;
const POINTS = 72;
/** Series in one question, as many as the server takes fast. */
const AT_ONCE = 40;
const KEPT_MAX = 1_000;

/** The last day of the series on the screen, each fetched once, those without numbers left out. */
export function useShownSparks(shown: readonly Series[]): ReadonlyMap<string, Spark> {
  const kept = useRef(new Map<string, Spark>());
  const [, redraw] = useState(0);
  const ids = shown.map((one) => one.id).join(",");
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => {
      const toUs = serverClock.nowUs();
      const fromUs = toUs - DAY_US;
      const missing = shown.filter(
        (one) =>
          !kept.current.has(one.id) && one.last_text === null && (one.last_ts ?? fromUs) > fromUs,
      );
      const asked = missing.slice(0, AT_ONCE);
      // Of series that are younger than a day, all of it.
      const firstUs = Math.min(toUs - 1, ...asked.map((one) => one.first_ts ?? fromUs));
      ask(asked, { fromUs: Math.max(fromUs, firstUs), toUs }, stop.signal).then(
        (sparks) => {
          if (kept.current.size > KEPT_MAX) kept.current.clear();
          for (const [id, spark] of sparks) kept.current.set(id, spark);
          if (sparks.size) redraw((n) => n + 1);
        },
        (cause) => {
          // The rows are told without their pictures; what the server lacks, the search will say.
          if (!stop.signal.aborted) console.warn(asApiError(cause).message);
        },
      );
    }, REST_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [ids]);
  return kept.current;
}

async function ask(
  series: readonly Series[],
  stretch: { fromUs: number; toUs: number },
  signal: AbortSignal,
): Promise<Map<string, Spark>> {
  if (series.length === 0) return new Map();
  const ids = series.map((one) => one.id).join(",");
  const asked = {
    series: ids,
    from: Math.floor(stretch.fromUs),
    to: Math.floor(stretch.toUs),
    points: POINTS,
  };
  const history = await getJson<History>("history", asked, signal);
  return new Map(series.map((one) => [one.id, { data: plotData(history, one.id), ...stretch }]));
}
