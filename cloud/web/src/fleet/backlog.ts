import type { Gateway } from "../api/types.ts";
import { oneUnit, SECOND_US } from "../format/time.ts";

/** Readings that come in meanwhile: a pace below this is as good as none. */
const STILL = 0.5;

/** Fewer wait in the ordinary course of things: from one block to the next they come and go. */
const ORDINARY = 1_000;

/** How a backlog goes, in words: when it is gone, or that it grows; empty when nobody knows. */
export function outlook(gateway: Gateway): string {
  const { backlog_rows: rows, backlog_eta_s: eta, backlog_pace: pace } = gateway;
  if (!rows || rows < ORDINARY || !gateway.connected) return "";
  if (eta !== null && pace !== null && pace < -STILL) {
    return `gone in ${oneUnit(Math.max(eta, 1) * SECOND_US)}`;
  }
  return pace !== null && pace > STILL ? "growing" : "";
}
