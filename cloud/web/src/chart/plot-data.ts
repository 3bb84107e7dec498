import { type History, isRaw, type RawTrack } from "../api/types.ts";
import { firstFrom } from "./align.ts";

/** One series ready to draw: columns of equal length, null where the line must break. */
export interface PlotData {
  /** Milliseconds since 1970; a bucket stands at its middle. */
  x: number[];
  /** Mean of a bucket, or the reading itself. */
  mid: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  /** Readings in each bucket; null where the line breaks, and everywhere for raw readings. */
  count: (number | null)[];
  /** What a reading says that is not a number. */
  text: (string | null)[];
  /** Stretches without data between two readings, microseconds. */
  gaps: [fromUs: number, toUs: number][];
  bucketUs: number | null;
}

export const NO_DATA: PlotData = {
  x: [],
  mid: [],
  min: [],
  max: [],
  count: [],
  text: [],
  gaps: [],
  bucketUs: null,
};

/** Lay out one series of an answer; an unknown id gives an empty plot. */
export function plotData(history: History, id: string): PlotData {
  if (isRaw(history)) {
    const track = history.series.find((one) => one.id === id);
    return track ? rawPlot(track) : NO_DATA;
  }
  const track = history.series.find((one) => one.id === id);
  if (!track) return { ...NO_DATA, bucketUs: history.bucket_us };
  const bucketUs = history.bucket_us;
  const { rows, gaps } = withBreaks(track.t, longestBucketStep(track.t, bucketUs), bucketUs);
  return {
    x: rows.map((row) => (row.at + bucketUs / 2) / 1000),
    mid: rows.map((row) => pick(track.mean, row.index)),
    min: rows.map((row) => pick(track.min, row.index)),
    max: rows.map((row) => pick(track.max, row.index)),
    count: rows.map((row) => pick(track.count, row.index)),
    text: rows.map(() => null),
    gaps,
    bucketUs,
  };
}

function rawPlot(track: RawTrack): PlotData {
  const { rows, gaps } = withBreaks(track.t, longestStep(track.t), 0);
  const empty = rows.map(() => null);
  return {
    x: rows.map((row) => row.at / 1000),
    mid: rows.map((row) => pick(track.v, row.index)),
    min: empty,
    max: empty,
    count: empty,
    text: rows.map((row) => pick(track.text ?? [], row.index)),
    gaps,
    bucketUs: null,
  };
}

/**
 * The longest step between raw readings that still counts as the series' own cadence.
 * Three typical steps, or half more than the 95th percentile when the cadence itself varies.
 */
export function longestStep(t: readonly number[]): number {
  if (t.length < 3) return Number.POSITIVE_INFINITY;
  const steps = t.slice(1).map((at, i) => at - (t[i] ?? at));
  steps.sort((a, b) => a - b);
  const quantile = (q: number) => steps[Math.floor((steps.length - 1) * q)] ?? 0;
  const limit = Math.max(3 * quantile(0.5), 1.5 * quantile(0.95));
  return limit > 0 ? limit : Number.POSITIVE_INFINITY;
}

/**
 * Empty buckets are absent, so any step longer than one bucket is a gap; unless the buckets are
 * finer than the series' own cadence, which then says what a gap is.
 */
function longestBucketStep(t: readonly number[], bucketUs: number): number {
  const steps = t.slice(1).map((at, i) => at - (t[i] ?? at));
  steps.sort((a, b) => a - b);
  const typical = steps[Math.floor((steps.length - 1) / 2)] ?? bucketUs;
  return typical > bucketUs * 1.5 ? longestStep(t) : bucketUs * 1.5;
}

interface Row {
  at: number;
  /** Index into the answer's columns; -1 where the line breaks. */
  index: number;
}

function withBreaks(t: readonly number[], limit: number, width: number) {
  const rows: Row[] = [];
  const gaps: [number, number][] = [];
  let before = Number.NaN;
  t.forEach((at, index) => {
    if (at - before > limit) {
      gaps.push([before + width, at]);
      rows.push({ at: before + width, index: -1 });
    }
    rows.push({ at, index });
    before = at;
  });
  return { rows, gaps };
}

function pick<T>(column: readonly (T | null)[], index: number): T | null {
  return index < 0 ? null : (column[index] ?? null);
}

/** How many drawn points lie within a window (breaks are not points). */
export function pointsWithin(data: PlotData, fromUs: number, toUs: number): number {
  let n = 0;
  for (let i = firstFrom(data.x, fromUs / 1000); i < data.x.length; i++) {
    if ((data.x[i] ?? 0) > toUs / 1000) break;
    if (data.mid[i] !== null) n++;
  }
  return n;
}

/** Add readings that arrived live to raw columns: later than all known ones only, so none doubles. */
export function appendRaw(
  track: RawTrack,
  t: readonly number[],
  v: readonly (number | null)[],
): RawTrack {
  const last = track.t.at(-1) ?? Number.NEGATIVE_INFINITY;
  const fresh = t.map((at, i) => ({ at, value: v[i] ?? null })).filter((one) => one.at > last);
  if (fresh.length === 0) return track;
  return {
    ...track,
    t: [...track.t, ...fresh.map((one) => one.at)],
    v: [...track.v, ...fresh.map((one) => one.value)],
    quality: [...track.quality, ...fresh.map(() => 0)],
  };
}
