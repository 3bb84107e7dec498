import type { Standing } from "../api/types.ts";
import { count, measure, plural } from "../format/number.ts";
import { DAY_US, SECOND_US, span } from "../format/time.ts";
import { reasonWords } from "../ledger/account.ts";

/** What a kind of alert is called: while it stands, and once it ended. */
export const KINDS: Readonly<Record<Standing["what"], readonly [string, string]>> = {
  silence: ["Gateway is silent", "Gateway was silent"],
  buffer: ["Buffer fills up", "Buffer filled up"],
  certificate: ["Certificate nears its end", "Certificate neared its end"],
  gap: ["Readings were lost", "Readings were lost"],
  episode: ["Series has anomalies", "Series had anomalies"],
  limit: ["Series is past its limit", "Series was past its limit"],
};

/** How many stand, and how many of them are critical. */
export function tally(rows: readonly Standing[], isMore: boolean): string {
  if (rows.length === 0) return "none stands";
  const critical = rows.filter((one) => one.severity === "critical").length;
  return `${count(rows.length)}${isMore ? " or more" : ""} ${rows.length === 1 ? "stands" : "stand"}${
    critical ? `, ${count(critical)} critical` : ""
  }`;
}

/** The facts of an alert in words, the most telling first. */
export function facts({ detail }: Standing): string[] {
  return Object.keys(FACTS)
    .filter((name) => detail[name] !== undefined)
    .map((name) => (FACTS[name] as Fact)(detail[name] as never, detail))
    .filter(Boolean);
}

type Fact = (value: never, detail: Standing["detail"]) => string;

const unit = (detail: Standing["detail"]) => (detail.unit ? ` ${detail.unit}` : "");

const FACTS: Readonly<Record<string, Fact>> = {
  value: (value: number, detail) => `last reading ${measure(value)}${unit(detail)}`,
  above: (limit: number, detail) => `limit ${measure(limit)}${unit(detail)}`,
  below: (limit: number, detail) => `lower limit ${measure(limit)}${unit(detail)}`,
  silent_s: (s: number) => `not heard for ${span(s * SECOND_US)} or longer`,
  share: (share: number) => `${Math.round(share * 100)} % full`,
  days: (days: number) => `full in ${span(days * DAY_US)}`,
  left_days: (days: number) => (days > 0 ? `${span(days * DAY_US)} left` : "it has ended"),
  readings: (readings: number) => `${plural(readings, "reading")} lost`,
  reason: (reason: string) => reasonWords(reason),
  anomalies: (found: number) => plural(found, "anomaly", "anomalies"),
  peak: (score: number) => `highest score ${measure(score)}`,
  model: (model: string) => `by ${model}`,
};
