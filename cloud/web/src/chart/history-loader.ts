import type { ApiError } from "../api/client.ts";
import { getJson, type Params } from "../api/client.ts";
import { asApiError } from "../api/poll.ts";
import {
  type Anomaly,
  type BucketHistory,
  type History,
  isRaw,
  type RawHistory,
  type RawTrack,
  type Stretch,
} from "../api/types.ts";

/** One question to the server: a stretch of a series at the chart's width. */
export interface Question {
  series: string;
  fromUs: number;
  toUs: number;
  points: number;
  /** Its readings are texts: there are no buckets of those. */
  words: boolean;
  /** It is drawn as bars: for how long each value stood is asked for as well. */
  bars: boolean;
  /** Every reading rather than buckets. */
  every: boolean;
  /** Readings that are marked as bad are left out. */
  withoutBad: boolean;
}

export interface Answer {
  question: Question;
  history: History;
  anomalies: Anomaly[];
  stretches: Stretch[];
  /** The server holds more anomalies in this stretch than were asked for. */
  anomaliesCut: boolean;
  /** The server holds more readings in this stretch than were fetched. */
  readingsCut: boolean;
}

export const ANOMALIES_MAX = 1_000;
/** Readings a raw page holds at most. */
const RAW_PAGE = 20_000;
/** Raw pages followed before the chart says that it shows only a part. */
const RAW_PAGES_MAX = 4;
/** The same where every reading is wanted: 100,000 in the window and half as many on either side. */
const EVERY_PAGES_MAX = 10;
const STRETCHES_MAX = 10_000;
/** Up to this many readings are worth their own points where the finest buckets are too coarse. */
const RAW_READINGS_MAX = 6_000;
/** Buckets this many times fewer than asked for are too coarse. */
const COARSE = 4;
/** Long enough to swallow a wheel's ticks, short enough not to be noticed. */
const SETTLE_MS = 140;

interface Asked extends Params {
  series: string;
  from: number;
  to: number;
  bad: string | undefined;
  points: number;
}

/**
 * Asks for history as a window moves: waits until it settles, drops what is no longer wanted,
 * and reports only the newest question's answer. The caller keeps the old answer until then.
 */
export class HistoryLoader {
  private timer = 0;
  private running: AbortController | undefined;
  private next: Question | undefined;
  private readonly answered: (answer: Answer) => void;
  private readonly failed: (error: ApiError) => void;

  constructor(answered: (answer: Answer) => void, failed: (error: ApiError) => void) {
    this.answered = answered;
    this.failed = failed;
  }

  /** Ask soon, instead of anything asked before; `atOnce` when nobody is in the middle of a gesture. */
  ask(question: Question, atOnce: boolean): void {
    this.stop();
    if (atOnce) this.send(question);
    else this.timer = window.setTimeout(() => this.send(question), SETTLE_MS);
  }

  /** The same window again for what is new in it: after the request under way, never instead of it. */
  renew(question: Question): void {
    if (this.running) this.next = question;
    else this.ask(question, true);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.next = undefined;
    this.running?.abort();
    this.running = undefined;
  }

  private async send(question: Question): Promise<void> {
    const mine = new AbortController();
    this.running = mine;
    try {
      const answer = await fetchAnswer(question, mine.signal);
      if (!mine.signal.aborted) this.answered(answer);
    } catch (cause) {
      if (!mine.signal.aborted) this.failed(asApiError(cause));
    }
    if (mine.signal.aborted) return;
    this.running = undefined;
    if (this.next) this.ask(this.next, true);
  }
}

async function fetchAnswer(question: Question, signal: AbortSignal): Promise<Answer> {
  const stretch = { series: question.series, from: question.fromUs, to: question.toUs };
  const bad = question.withoutBad ? "exclude" : undefined;
  const states = { ...stretch, bad, limit: STRETCHES_MAX };
  const [history, found, stood] = await Promise.all([
    fetchHistory({ ...stretch, bad, points: question.points }, question, signal),
    getJson<{ anomalies: Anomaly[] }>("anomalies", { ...stretch, limit: ANOMALIES_MAX }, signal),
    question.bars ? getJson<{ states: Stretch[] }>("states", states, signal) : { states: [] },
  ]);
  return {
    question,
    history,
    anomalies: found.anomalies,
    stretches: stood.states,
    anomaliesCut: found.anomalies.length >= ANOMALIES_MAX,
    readingsCut: history.next !== null || stood.states.length >= STRETCHES_MAX,
  };
}

async function fetchHistory(
  params: Asked,
  { words, every }: Question,
  signal: AbortSignal,
): Promise<History> {
  const asRaw = { ...params, resolution: "raw", limit: RAW_PAGE };
  if (!words && !every) {
    const first = await getJson<History>("history", params, signal);
    if (isRaw(first)) return wholeRaw(first, params, RAW_PAGES_MAX, signal);
    if (!rawIsBetter(first, params.points)) return first;
  }
  const first = await getJson<RawHistory>("history", asRaw, signal);
  return wholeRaw(first, asRaw, every ? EVERY_PAGES_MAX : RAW_PAGES_MAX, signal);
}

/** Between raw readings a second apart and buckets of a minute there is no tier: look closer. */
function rawIsBetter(history: BucketHistory, points: number): boolean {
  return history.series.every((track) => {
    const readings = track.count.reduce((sum, n) => sum + n, 0);
    return track.t.length * COARSE < points && readings <= RAW_READINGS_MAX;
  });
}

/** All pages of raw readings, up to so many; their columns grow in place. */
async function wholeRaw(
  first: RawHistory,
  params: Asked,
  pagesMax: number,
  signal: AbortSignal,
): Promise<RawHistory> {
  let next = first.next;
  for (let page = 1; next !== null && page < pagesMax; page++) {
    const more = { ...params, resolution: "raw", limit: RAW_PAGE, cursor: next };
    const found = await getJson<RawHistory>("history", more, signal);
    for (const [i, track] of first.series.entries()) append(track, found.series[i]);
    next = found.next;
  }
  return { ...first, next };
}

function append(track: RawTrack, more: RawTrack | undefined): void {
  if (!more) return;
  if (track.text || more.text) {
    track.text = [...wordsOf(track), ...wordsOf(more)];
  }
  for (const at of more.t) track.t.push(at);
  for (const value of more.v) track.v.push(value);
  for (const one of more.quality) track.quality.push(one);
}

function wordsOf(track: RawTrack): (string | null)[] {
  return track.text ?? track.t.map(() => null);
}
