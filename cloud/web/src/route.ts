import { type ChartChoice, formatChart, parseChart } from "./chart/chart-address.ts";
import { type Choice, formatChoice, parseChoice } from "./choice.ts";
import { DAY_US, HOUR_US, isoFromUs, MINUTE_US, SECOND_US, usFromIso } from "./format/time.ts";
import { formatReview, parseReview, type ReviewChoice } from "./review/review-address.ts";

/** What part of time a chart shows. `last` and `all` keep following new readings. */
export type Range =
  | { kind: "last"; spanUs: number }
  | { kind: "all" }
  | { kind: "fixed"; fromUs: number; toUs: number };

/** Everything a view shows is in its address; `choice` is what was searched, filtered, ordered. */
export type Route =
  | { view: "fleet"; choice?: Choice }
  | { view: "find"; choice?: Choice }
  | { view: "alerts"; choice?: Choice }
  | { view: "ledger"; gateway: string | undefined; choice?: Choice }
  | { view: "quarantine"; choice?: Choice }
  | { view: "models"; choice?: Choice }
  | { view: "gateway"; gateway: string; choice?: Choice }
  | { view: "device"; gateway: string; device: string; choice?: Choice }
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
  if (parts[0] === "gateways") return below(parts.slice(1), search) ?? { view: "unknown", hash };
  const more = chosenIn(search);
  if (parts.length === 0) return { view: "fleet", ...more };
  if (parts.length > 1) return { view: "unknown", hash };
  switch (parts[0]) {
    case "series":
      return { view: "find", ...more };
    case "alerts":
      return { view: "alerts", ...more };
    case "ledger":
      return { view: "ledger", gateway: undefined, ...more };
    case "review":
      return { view: "review", review: parseReview(new URLSearchParams(search)) };
    case "quarantine":
      return { view: "quarantine", ...more };
    case "models":
      return { view: "models", ...more };
    default:
      return { view: "unknown", hash };
  }
}

/** The view of a gateway or of what belongs to it; undefined where there is none. */
function below(parts: string[], search: string): Route | undefined {
  const [gateway, d, device, s, series] = parts;
  const more = chosenIn(search);
  if (!gateway) return undefined;
  if (parts.length === 1) return { view: "gateway", gateway, ...more };
  if (d === "ledger" && parts.length === 2) return { view: "ledger", gateway, ...more };
  if (d !== "devices" || !device) return undefined;
  if (parts.length === 3) return { view: "device", gateway, device, ...more };
  if (s !== "series" || !series || parts.length !== 5) return undefined;
  const query = new URLSearchParams(search);
  const chart = parseChart(query, series);
  const place = { gateway, device, series, range: parseRange(query) };
  return formatChart(chart) ? { view: "series", ...place, chart } : { view: "series", ...place };
}

function chosenIn(search: string): { choice?: Choice } {
  const choice = parseChoice(search);
  return Object.keys(choice).length ? { choice } : {};
}

/** Write the address of a route, from `#` on. */
export function formatHash(route: Route): string {
  const e = encodeURIComponent;
  const chosen = "choice" in route ? formatChoice(route.choice) : "";
  switch (route.view) {
    case "fleet":
      return `#/${chosen}`;
    case "find":
      return `#/series${chosen}`;
    case "alerts":
      return `#/alerts${chosen}`;
    case "ledger":
      return `${route.gateway ? `#/gateways/${e(route.gateway)}/ledger` : "#/ledger"}${chosen}`;
    case "quarantine":
      return `#/quarantine${chosen}`;
    case "models":
      return `#/models${chosen}`;
    case "gateway":
      return `#/gateways/${e(route.gateway)}${chosen}`;
    case "device":
      return `#/gateways/${e(route.gateway)}/devices/${e(route.device)}${chosen}`;
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
