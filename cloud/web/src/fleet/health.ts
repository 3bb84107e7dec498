import type { Gateway } from "../api/types.ts";
import { byName } from "../format/natural.ts";
import { count } from "../format/number.ts";
import { ago, DAY_US, oneUnit, SECOND_US } from "../format/time.ts";

export type Health = "silent" | "attention" | "new" | "well";

export interface Verdict {
  health: Health;
  /** What is wrong, most urgent first; empty when well. */
  reasons: string[];
}

/** Certificates are to be renewed well before their end. */
export const CERTIFICATE_WARN_US = 30 * DAY_US;
/** More rows than this waiting at a gateway is a backlog worth a word. */
export const BACKLOG_ROWS_WARN = 50_000;
/** A buffer this full is a word worth, whatever waits in it. */
export const BUFFER_FULL_WARN = 0.8;
/** Blocks stored and not yet in the lake. */
export const LAKE_LAG_WARN = 1_000;

/** Judge one gateway by what the server knows of it. */
export function judge(gateway: Gateway, nowUs: number): Verdict {
  const reasons: string[] = [];
  let health: Health = "well";
  const quietUs = gateway.last_seen === null ? null : nowUs - gateway.last_seen;
  if (quietUs !== null && quietUs >= gateway.silent_s * SECOND_US) {
    health = "silent";
    const hangs = gateway.connected ? ", though it is connected" : "";
    reasons.push(`last seen ${ago(nowUs - quietUs, nowUs)}${hangs}`);
  } else if (!gateway.connected) {
    health = quietUs === null ? "new" : "attention";
    reasons.push(quietUs === null ? "enrolled, never connected" : "reconnecting");
  }
  const more = concerns(gateway, nowUs);
  if (more.length > 0 && health !== "silent") health = "attention";
  reasons.push(...more);
  return { health, reasons };
}

function concerns(gateway: Gateway, nowUs: number): string[] {
  const reasons: string[] = [];
  const leftUs = (gateway.certificate_not_after ?? Number.POSITIVE_INFINITY) - nowUs;
  if (leftUs <= 0) reasons.push("certificate expired");
  else if (leftUs < CERTIFICATE_WARN_US) reasons.push(`certificate ends in ${oneUnit(leftUs)}`);
  if ((gateway.backlog_rows ?? 0) >= BACKLOG_ROWS_WARN) {
    reasons.push(`${count(gateway.backlog_rows ?? 0)} readings waiting`);
  }
  const full = bufferShare(gateway);
  if (full !== null && full >= BUFFER_FULL_WARN) {
    reasons.push(`buffer ${Math.round(full * 100)} % full`);
  }
  if (lag(gateway) >= LAKE_LAG_WARN) {
    reasons.push(`${count(lag(gateway))} blocks not yet in the lake`);
  }
  if (gateway.clock?.includes("unsync")) reasons.push("clock not synchronised");
  return reasons;
}

/** Blocks that are stored and not in the lake yet. */
export function lag(gateway: Gateway): number {
  return Math.max(gateway.stored - gateway.archived, 0);
}

/** How much of its buffer is taken, 0 to 1; null when the gateway did not tell. */
export function bufferShare(gateway: Gateway): number | null {
  const { buffer_bytes: used, buffer_bytes_max: most } = gateway;
  return used === null || !most ? null : used / most;
}

const ORDER: Record<Health, number> = { silent: 0, attention: 1, new: 2, well: 3 };

/** Silent ones first, the longest silent at the top; the rest by name. */
export function urgentFirst(gateways: readonly Gateway[], nowUs: number): [Gateway, Verdict][] {
  return gateways
    .map((gateway): [Gateway, Verdict] => [gateway, judge(gateway, nowUs)])
    .sort(([a, va], [b, vb]) => {
      const byHealth = ORDER[va.health] - ORDER[vb.health];
      if (byHealth !== 0) return byHealth;
      if (va.health === "silent" && a.last_seen !== b.last_seen) {
        return (a.last_seen ?? nowUs) - (b.last_seen ?? nowUs);
      }
      return byName(a.name, b.name);
    });
}
