import { apiUrl, type Params } from "../api/client.ts";
import type { Shown } from "../chart/readout.tsx";
import type { Window } from "../chart/window.ts";
import { DAY_US, HOUR_US, isoFromUs, MINUTE_US, SECOND_US } from "../format/time.ts";

export type Form = "csv" | "parquet" | "arrow" | "json";

/** Raw readings that one answer can hold. */
export const RAW_MAX = 1_000_000;
const STATES_MAX = 100_000;
const UNITS: [string, number][] = [
  ["d", DAY_US],
  ["h", HOUR_US],
  ["m", MINUTE_US],
  ["s", SECOND_US],
  ["ms", 1_000],
];
const COUNT_MAX = 9_999;

/** One question that gives what is shown of the series that are drawn alike. */
export interface Asked {
  series: string[];
  /** `raw`, the width of buckets, or `states`. */
  resolution: string;
  fromUs: number;
  toUs: number;
  withoutBad: boolean;
}

/** The questions behind a chart: series of one resolution come together. */
export function askedOf(shown: readonly Shown[], window: Window, withoutBad: boolean): Asked[] {
  const groups = new Map<string, string[]>();
  for (const { facts, history } of shown) {
    const { answer } = history;
    if (!answer) continue;
    const { bucket_us } = answer.history;
    const drawn = bucket_us === null ? "raw" : widthName(bucket_us);
    const resolution = answer.question.bars ? "states" : drawn;
    groups.set(resolution, [...(groups.get(resolution) ?? []), facts.id]);
  }
  const place = { fromUs: Math.floor(window.fromUs), toUs: Math.ceil(window.toUs), withoutBad };
  return [...groups].map(([resolution, series]) => ({ series, resolution, ...place }));
}

/** A width as the API writes it. */
export function widthName(us: number): string {
  const [name, unit] = UNITS.find(
    ([, size]) => us % size === 0 && us / size >= 1 && us / size <= COUNT_MAX,
  ) ?? ["ms", 1_000];
  return `${Math.max(Math.round(us / unit), 1)}${name}`;
}

/** The address of an answer on the server that this page came from. */
export function addressOf(asked: Asked, form: Form, base: string): string {
  const states = asked.resolution === "states";
  const raw = asked.resolution === "raw";
  const params: Params = {
    series: asked.series.join(","),
    from: isoFromUs(asked.fromUs),
    to: isoFromUs(asked.toUs),
    resolution: raw ? "raw" : undefined,
    bucket: raw || states ? undefined : asked.resolution,
    bad: asked.withoutBad ? "exclude" : undefined,
    limit: raw ? RAW_MAX : states ? STATES_MAX : undefined,
    format: form,
  };
  return new URL(apiUrl(states ? "states" : "history", params), base).href;
}

/** The command that fetches it, as a shell takes it. */
export function curlOf(asked: Asked, form: Form, base: string): string {
  return `curl -f -o ${fileName(asked, form)} \\\n  '${addressOf(asked, form, base)}'`;
}

/** The program that fetches it into a frame. */
export function pythonOf(asked: Asked, base: string): string {
  const states = asked.resolution === "states";
  const lines = [
    `    [${asked.series.map((id) => JSON.stringify(id)).join(", ")}],`,
    `    start=${JSON.stringify(isoFromUs(asked.fromUs))},`,
    `    end=${JSON.stringify(isoFromUs(asked.toUs))},`,
    ...(states ? [] : [`    resolution=${JSON.stringify(asked.resolution)},`]),
    ...(asked.withoutBad ? [`    bad="exclude",`] : []),
  ];
  const url = base.replace(/\/$/, "");
  return [
    "import tidegate",
    "",
    `cloud = tidegate.connect(${JSON.stringify(url)})`,
    `frame = cloud.${states ? "states" : "history"}(`,
    ...lines,
    ").to_polars()",
  ].join("\n");
}

/** What the file is called. */
export function fileName(asked: Asked, form: Form): string {
  return `tidegate-${asked.resolution}.${form}`;
}
