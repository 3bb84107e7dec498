import type { ZoneChoice } from "../format/zone.ts";

/** How several series are shown: in one plot as far as units allow, or each in its own. */
export type Layout = "compare" | "stack";
/** What stands beside the chart. */
export type Side = "anomalies" | "episodes" | "marks";

/** All that a chart shows beside its first series and its range: part of the address. */
export interface ChartChoice {
  /** Ids of the further series. */
  others: readonly string[];
  layout: Layout;
  zone: ZoneChoice;
  /** Every reading rather than buckets, as many as the chart can hold. */
  every: boolean;
  /** Readings that are marked as bad are left out. */
  withoutBad: boolean;
  side: Side;
  /** Id of the selected episode. */
  episode: string | undefined;
}

/** Series in one chart; more colours could not be told apart. */
export const SERIES_MAX = 8;

export const PLAIN_CHART: ChartChoice = {
  others: [],
  layout: "compare",
  zone: "local",
  every: false,
  withoutBad: false,
  side: "anomalies",
  episode: undefined,
};

const ID = /^[0-9a-f]{16}$/;
const EPISODE = /^[0-9a-f]{32}$/;

/** Read a chart's choices from the address; what is not there or wrong is as usual. */
export function parseChart(query: URLSearchParams, first: string): ChartChoice {
  const given = (query.get("with") ?? "").split(",").filter((id) => ID.test(id) && id !== first);
  const episode = query.get("episode") ?? "";
  return {
    others: [...new Set(given)].slice(0, SERIES_MAX - 1),
    layout: query.get("layout") === "stack" ? "stack" : "compare",
    zone: parseZone(query),
    every: query.get("detail") === "raw",
    withoutBad: query.get("bad") === "exclude",
    side: oneOf(query.get("side"), ["anomalies", "episodes", "marks"]),
    episode: EPISODE.test(episode) ? episode : undefined,
  };
}

/** The zone that an address names. */
export function parseZone(query: URLSearchParams): ZoneChoice {
  return oneOf(query.get("zone"), ["local", "utc", "site"]);
}

/** Write what differs from the usual, to be put behind the range. */
export function formatChart(chart: ChartChoice): string {
  const parts = [
    chart.others.length > 0 && `with=${chart.others.join(",")}`,
    chart.layout !== PLAIN_CHART.layout && `layout=${chart.layout}`,
    chart.zone !== PLAIN_CHART.zone && `zone=${chart.zone}`,
    chart.every && "detail=raw",
    chart.withoutBad && "bad=exclude",
    chart.side !== PLAIN_CHART.side && `side=${chart.side}`,
    chart.episode && `episode=${chart.episode}`,
  ];
  return parts
    .filter(Boolean)
    .map((part) => `&${part}`)
    .join("");
}

function oneOf<T extends string>(text: string | null, usual: readonly [T, ...T[]]): T {
  return usual.find((one) => one === text) ?? usual[0];
}
