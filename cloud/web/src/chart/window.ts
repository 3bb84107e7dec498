import { HOUR_US, MINUTE_US, SECOND_US } from "../format/time.ts";
import type { Range } from "../route.ts";

/** What the right edge does: stands still, moves with the present, or with the last reading. */
export type Edge = "still" | "present" | "reading";

/** The visible stretch of time. */
export interface Window {
  fromUs: number;
  toUs: number;
  edge: Edge;
}

/** When a series began and when it was last heard. */
export interface Extent {
  firstUs: number | null;
  lastUs: number | null;
}

/** An axis cannot be labelled finer than milliseconds: ten of them are the closest look. */
export const SPAN_US_MIN = 10_000;
/** Two centuries: no history is longer, and clocks stuck at 1970 still fit beside today. */
export const SPAN_US_MAX = 200 * 365 * 24 * HOUR_US;
/** A reading this far ahead of the server's clock comes from a wrong clock, not from latency. */
const AHEAD_US = MINUTE_US;

/**
 * Turn a range into instants. `last` ends at the present when the series spoke within the span,
 * otherwise at its last reading, so that a silent series shows what it last said, not emptiness.
 */
export function resolve(range: Range, extent: Extent, nowUs: number): Window {
  if (range.kind === "fixed") return { fromUs: range.fromUs, toUs: range.toUs, edge: "still" };
  const last = extent.lastUs ?? nowUs;
  const first = extent.firstUs ?? nowUs - HOUR_US;
  const spanUs = range.kind === "last" ? range.spanUs : Math.max(last - first, SECOND_US);
  const live = last <= nowUs + AHEAD_US && last >= nowUs - spanUs;
  // A sliver beyond the last reading keeps it off the very edge.
  const toUs = Math.ceil(live ? nowUs : last + spanUs * 0.01);
  const fromUs = range.kind === "last" ? toUs - spanUs : Math.floor(first - spanUs * 0.01);
  return { fromUs, toUs, edge: live ? "present" : "reading" };
}

/** Scale the span by `factor` about the instant `anchorUs`, which stays where it is. */
export function zoom(window: Window, factor: number, anchorUs: number): Window {
  const span = window.toUs - window.fromUs;
  const next = Math.min(Math.max(span * factor, SPAN_US_MIN), SPAN_US_MAX);
  const share = (anchorUs - window.fromUs) / span;
  return fixed(anchorUs - next * share, anchorUs + next * (1 - share));
}

/** Move by a share of the span: +0.5 is half a window later. */
export function pan(window: Window, share: number): Window {
  const by = (window.toUs - window.fromUs) * share;
  return fixed(window.fromUs + by, window.toUs + by);
}

/** A window that stands still; at least SPAN_US_MIN wide. */
export function fixed(fromUs: number, toUs: number): Window {
  const from = Math.floor(Math.min(fromUs, toUs));
  return {
    fromUs: from,
    toUs: Math.max(Math.ceil(Math.max(fromUs, toUs)), from + SPAN_US_MIN),
    edge: "still",
  };
}

/** The range to write in the address: a window that reaches the present goes on following it. */
export function toRange(window: Window, extent: Extent, nowUs: number): Range {
  const span = window.toUs - window.fromUs;
  const heard = extent.lastUs !== null && extent.lastUs >= nowUs - span;
  if (heard && window.fromUs < nowUs && window.toUs >= nowUs - span * 0.01) {
    return { kind: "last", spanUs: Math.max(Math.round(nowUs - window.fromUs), SPAN_US_MIN) };
  }
  return { kind: "fixed", fromUs: window.fromUs, toUs: window.toUs };
}
