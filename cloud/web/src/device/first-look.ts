import type { Series } from "../api/types.ts";
import { DAY_US } from "../format/time.ts";
import { DEFAULT_RANGE, type Range } from "../route.ts";

/** What a metric's link opens: the last day; everything when the series is younger or was still. */
export function firstLook(series: Pick<Series, "first_ts" | "last_ts">, nowUs: number): Range {
  const last = series.last_ts ?? 0;
  const young = last - (series.first_ts ?? 0) < DAY_US;
  return young || last < nowUs - DAY_US ? { kind: "all" } : DEFAULT_RANGE;
}
