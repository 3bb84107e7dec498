import type { Gateway } from "../api/types.ts";
import { type Choice, chosen } from "../choice.ts";
import type { Column } from "../parts/sorting.ts";
import { type Health, lag, urgentFirst, type Verdict } from "./health.ts";

export type Row = [Gateway, Verdict];

const WORST: Record<Health, number> = { silent: 3, attention: 2, new: 1, well: 0 };

/** How a fleet may be ordered; the first is how it is without a choice. */
export const COLUMNS: readonly Column<Row>[] = [
  { key: "trouble", name: "Trouble first", rises: false, of: ([, v]) => WORST[v.health] },
  { key: "name", name: "Name", rises: true, of: ([g]) => g.name },
  { key: "seen", name: "Last seen", rises: true, of: ([g]) => g.last_seen },
  { key: "backlog", name: "Waiting there", rises: false, of: ([g]) => g.backlog_rows },
  { key: "eta", name: "Time until empty", rises: false, of: ([g]) => g.backlog_eta_s },
  { key: "lag", name: "Not yet archived", rises: false, of: ([g]) => lag(g) },
  { key: "readings", name: "Readings", rises: false, of: ([g]) => g.readings },
  { key: "anomalies", name: "Anomalies", rises: false, of: ([g]) => g.anomalies },
  { key: "clock", name: "Clock", rises: false, of: ([g]) => g.clock },
  { key: "key", name: "Key tier", rises: true, of: ([g]) => g.key_tier },
  {
    key: "certificate",
    name: "Certificate",
    rises: true,
    of: ([g]) => g.certificate_not_after,
  },
];

/** Every gateway with its verdict, silent ones first: what a choice picks from. */
export function judged(gateways: readonly Gateway[], nowUs: number): Row[] {
  return urgentFirst(gateways, nowUs);
}

/** How many there are of each health. */
export function healthCounts(rows: readonly Row[]): Record<Health, number> {
  const counts: Record<Health, number> = { silent: 0, attention: 0, new: 0, well: 0 };
  for (const [, { health }] of rows) counts[health] += 1;
  return counts;
}

/** Those that a choice asks for: of some healths, and with each word somewhere in what is told. */
export function picked(rows: readonly Row[], choice: Choice): Row[] {
  const healths = chosen(choice, "show");
  const words = (choice.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(([gateway, verdict]) => {
    if (healths.size && !healths.has(verdict.health)) return false;
    const { name, clock, key_tier, agent_version } = gateway;
    const text = [name, clock, key_tier, agent_version, ...verdict.reasons].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
