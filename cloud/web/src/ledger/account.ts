import type { LedgerRow } from "../api/types.ts";
import { count, plural } from "../format/number.ts";

/** How a line of an account is meant: all is well, on its way, set apart here, or lost. */
export type Tone = "whole" | "coming" | "apart" | "lost";

export interface Line {
  tone: Tone;
  text: string;
}

/** Reasons of gaps as the gateway names them, in words. */
const REASONS: Record<string, string> = {
  evicted: "evicted from a full buffer",
  damaged: "damaged on the gateway's card",
  deleted_before_loss: "deleted there as archived before the cloud lost its journal",
};

/** Why readings were lost, in words. */
export function reasonWords(reason: string): string {
  return REASONS[reason] ?? reason.replaceAll("_", " ");
}

/** What became of an epoch, most serious first: never empty. */
export function accountOf(row: LedgerRow): Line[] {
  const lines: Line[] = [];
  for (const [reason, gap] of Object.entries(row.gaps)) {
    const size = plural(gap.readings, "reading");
    lines.push({
      tone: "lost",
      text: `${size} ${reasonWords(reason)}, in ${plural(gap.records, "gap")}`,
    });
  }
  if (row.deleted_blocks) {
    const blocks = plural(row.deleted_blocks, "block");
    lines.push({ tone: "lost", text: `${blocks} deleted before an older journal was restored` });
  }
  add(lines, "lost", "discarded by an operator", row.discarded_blocks, row.discarded_readings);
  add(lines, "apart", "in quarantine", row.quarantined_blocks, row.quarantined_readings);
  if (row.forked_blocks) {
    const blocks = plural(row.forked_blocks, "block");
    lines.push({ tone: "apart", text: `${blocks} of another machine with this name, kept aside` });
  }
  const missing = row.expected - row.stored;
  if (missing > 0) {
    const blocks = plural(missing, "block");
    const closed = `${blocks} sealed and never stored here: sent again in a later epoch`;
    lines.push({ tone: "coming", text: row.open ? `${blocks} still to come` : closed });
  }
  const behind = row.stored - row.archived;
  if (behind > 0) {
    lines.push({ tone: "coming", text: `${plural(behind, "block")} not yet in the lake` });
  }
  return lines.length ? lines : [{ tone: "whole", text: "whole" }];
}

/** How many of an account are not there: what the heading counts. */
export function troubled(rows: LedgerRow[]): number {
  return rows.filter(lacksSomething).length;
}

/** Whether something of an epoch was lost or stands apart. */
export function lacksSomething(row: LedgerRow): boolean {
  return accountOf(row).some((line) => isTrouble(line.tone));
}

function isTrouble(tone: Tone): boolean {
  return tone === "lost" || tone === "apart";
}

function add(lines: Line[], tone: Tone, what: string, blocks: number, readings: number): void {
  if (!blocks) return;
  const size = `${plural(blocks, "block")} of ${count(readings)} readings`;
  lines.push({ tone, text: `${size} ${what}` });
}
