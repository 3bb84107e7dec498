import { type Anomaly, isRaw, type LiveReadings } from "../api/types.ts";
import type { Answer } from "./history-loader.ts";
import { appendRaw } from "./plot-data.ts";
import type { Heard } from "./use-histories.ts";

/** Live readings kept to be put onto an answer that left the server before they arrived. */
const RECENT_MAX = 5_000;
/** Buckets are asked for again sixty times while they fill, within these bounds. */
const REFRESH_MS = { perBucket: 60, min: 1_000, max: 10_000 };

/** How soon buckets, bars, or a late reading among raw ones are to be asked for again, if at all. */
export function refreshMs(answer: Answer, event: LiveReadings): number | undefined {
  const { history, question } = answer;
  if (!isRaw(history)) {
    const last = history.series[0]?.t.at(-1) ?? Number.NEGATIVE_INFINITY;
    // A recording played fast leaves the drawing behind: catch up at once.
    if (newestOf(event).ts > last + 2 * history.bucket_us) return REFRESH_MS.min;
    const share = history.bucket_us / 1_000 / REFRESH_MS.perBucket;
    return Math.min(Math.max(share, REFRESH_MS.min), REFRESH_MS.max);
  }
  if (question.bars) return REFRESH_MS.min;
  const times = history.series[0]?.t ?? [];
  const last = times.at(-1) ?? Number.NEGATIVE_INFINITY;
  const grown = times.length > 4 * question.points && !question.every;
  return grown || event.t.some((ts) => ts < last) ? REFRESH_MS.min : undefined;
}

/** The last of the readings of one event. */
export function newestOf(event: LiveReadings): Heard {
  const at = event.t.reduce((best, ts, i) => (ts >= (event.t[best] ?? ts) ? i : best), 0);
  return { ts: event.t[at] ?? Number.NEGATIVE_INFINITY, value: event.v[at] ?? null };
}

/** An answer of raw readings with those that arrived since. */
export function withReadings(answer: Answer, event: LiveReadings): Answer {
  if (!isRaw(answer.history) || event.t.length === 0) return answer;
  const series = answer.history.series.map((track) =>
    track.id === event.id ? appendRaw(track, event.t, event.v) : track,
  );
  return { ...answer, history: { ...answer.history, series } };
}

/** An answer with an anomaly that was not known when it was given. */
export function withAnomaly(answer: Answer, event: Anomaly): Answer {
  const known = answer.anomalies.some((one) => one.ts === event.ts && one.model === event.model);
  return known ? answer : { ...answer, anomalies: [event, ...answer.anomalies] };
}

/** What was heard before and what is later than all of it. */
export function joined(a: LiveReadings, b: LiveReadings): LiveReadings {
  const last = a.t.at(-1) ?? Number.NEGATIVE_INFINITY;
  const later = b.t.map((ts, i) => ({ ts, v: b.v[i] ?? null })).filter((one) => one.ts > last);
  return {
    id: a.id,
    t: [...a.t, ...later.map((one) => one.ts)].slice(-RECENT_MAX),
    v: [...a.v, ...later.map((one) => one.v)].slice(-RECENT_MAX),
  };
}
