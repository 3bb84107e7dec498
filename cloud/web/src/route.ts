import { type ChartChoice, formatChart, parseChart } from "./chart/chart-address.ts";
import { DAY_US, HOUR_US, isoFromUs, MINUTE_US, SECOND_US, usFromIso } from "./format/time.ts";
import { formatReview, parseReview, type ReviewChoice } from "./review/review-address.ts";

/** What part of time a chart shows. `last` and `all` keep following new readings. */
export type Range =
  | { kind: "last"; spanUs: number }
  | { kind: "all" }
  | { kind: "fixed"; fromUs: number; toUs: number };

/** Everything a view shows is in its address. */
export type Route =
  | { view: "fleet" }
  | { view: "ledger"; gateway: string | undefined }
  | { view: "gateway"; gateway: string }
  | { view: "device"; gateway: string; device: string }
  | {
      view: "series";
      gateway: string;
      device: string;
      series: string;
      range: Range;
      /** Without it the chart is as usual. */
      chart?: ChartChoice;
    }
  | { view: "review"; review: ReviewChoice }
  | { view: "unknown"; hash: string };

export const DEFAULT_RANGE: Range = { kind: "last", spanUs: DAY_US };

const UNITS: [string, number][] = [
  ["d", DAY_US],
  ["h", HOUR_US],
  ["m", MINUTE_US],
  ["s", SECOND_US],
];

/** Read the part of the address after `#`. */
export function parseHash(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?", 2);
  let parts: string[];
  try {
    parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return { view: "unknown", hash };
  }
  const [g, gateway, d, device, s, series] = parts;
  if (parts.length === 0) return { view: "fleet" };
  if (g === "ledger" && parts.length === 1) return { view: "ledger", gateway: undefined };
  if (g === "review" && parts.length === 1)
    return { view: "review", review: parseReview(new URLSearchParams(search)) };
  if (g !== "gateways" || !gateway) return { view: "unknown", hash };
  if (parts.length === 2) return { view: "gateway", gateway };
  if (d === "ledger" && parts.length === 3) return { view: "ledger", gateway };
  if (d !== "devices" || !device) return { view: "unknown", hash };
  if (parts.length === 4) return { view: "device", gateway, device };
  if (s !== "series" || !series || parts.length !== 6) return { view: "unknown", hash };
  const query = new URLSearchParams(search);
  const chart = parseChart(query, series);
  const range = parseRange(query);
  const place = { gateway, device, series, range };
  return formatChart(chart) ? { view: "series", ...place, chart } : { view: "series", ...place };
}

/** Write the address of a route, from `#` on. */
export function formatHash(route: Route): string {
  const e = encodeURIComponent;
  switch (route.view) {
    case "fleet":
      return "#/";
    case "ledger":
      return route.gateway ? `#/gateways/${e(route.gateway)}/ledger` : "#/ledger";
    case "gateway":
      return `#/gateways/${e(route.gateway)}`;
    case "device":
      return `#/gateways/${e(route.gateway)}/devices/${e(route.device)}`;
    case "series": {
      const path = `#/gateways/${e(route.gateway)}/devices/${e(route.device)}/series/${e(route.series)}`;
      const chart = route.chart ? formatChart(route.chart) : "";
      return `${path}?${formatRange(route.range)}${chart}`;
    }
    case "review":
      return formatReview(route.review);
    case "unknown":
      return route.hash;
  }
}

function parseRange(query: URLSearchParams): Range {
  const fromUs = usFromIso(query.get("from") ?? "");
  const toUs = usFromIso(query.get("to") ?? "");
  if (fromUs !== undefined && toUs !== undefined && fromUs < toUs) {
    return { kind: "fixed", fromUs, toUs };
  }
  const last = query.get("last") ?? "";
  if (last === "all") return { kind: "all" };
  const match = /^(\d+(?:\.\d+)?)([dhms])$/.exec(last);
  const unit = UNITS.find(([name]) => name === match?.[2])?.[1];
  const spanUs = match && unit ? Math.round(Number(match[1]) * unit) : 0;
  return spanUs > 0 ? { kind: "last", spanUs } : DEFAULT_RANGE;
}

function formatRange(range: Range): string {
  switch (range.kind) {
    case "all":
      return "last=all";
    case "fixed":
      return `from=${isoFromUs(range.fromUs)}&to=${isoFromUs(range.toUs)}`;
    case "last":
      return `last=${shortSpan(range.spanUs)}`;
  }
}

/** A span in its largest whole unit: 7d, 90m, 12.5s. A day is written as 24h, as its button says. */
function shortSpan(us: number): string {
  if (us === DAY_US) return "24h";
  const [name, unit] = UNITS.find(([, size]) => us % size === 0) ?? ["s", SECOND_US];
  return `${us / unit}${name}`;
}

/** Two ranges are the same choice. */
export function sameRange(a: Range, b: Range): boolean {
  return formatRange(a) === formatRange(b);
}
