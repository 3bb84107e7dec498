import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ApiError } from "../api/client.ts";
import { followSeries, type LiveState } from "../api/live.ts";
import { type Anomaly, isRaw, type LiveReadings } from "../api/types.ts";
import type { Range } from "../route.ts";
import { type Answer, HistoryLoader } from "./history-loader.ts";
import { appendRaw, NO_DATA, type PlotData, plotData } from "./plot-data.ts";
import { Throttle } from "./throttle.ts";
import type { Window } from "./window.ts";

/** How much is fetched beside the window, as a share of it: panning starts with data at hand. */
const MARGIN = 0.5;
/** The years 1 to 9999, which is all that the API takes. */
const TIME_US_MIN = -62_135_596_800_000_000;
const TIME_US_MAX = 253_402_214_400_000_000;
/** Two pixels a bucket: at one, a swinging mean fills its own band. */
const PIXELS_PER_POINT = 2;
/** Live readings kept to be put onto an answer that left the server before they arrived. */
const RECENT_MAX = 5_000;
/** Buckets are asked for again sixty times while they fill, within these bounds. */
const REFRESH_MS = { perBucket: 60, min: 1_000, max: 10_000 };

/** A reading heard live, newer than any before. */
export interface Heard {
  ts: number;
  value: number | null;
}

interface Asked {
  series: string;
  range: Range;
  window: Window;
  /** A gesture is under way. */
  held: boolean;
  widthPx: number;
  /** The readings are texts. */
  words: boolean;
  heard(newest: Heard): void;
}

export interface ChartHistory {
  answer: Answer | undefined;
  data: PlotData;
  error: ApiError | undefined;
  loading: boolean;
  /** Answers applied so far: rises with each refetch. */
  generation: number;
  live: LiveState | "off";
}

/** History of one series for a window: fetched when the window settles, extended live. */
export function useHistory(asked: Asked): ChartHistory {
  const { series, window, words } = asked;
  const [state, setState] = useState<ChartHistory & { series: string }>(blank(series));
  const [refresh, setRefresh] = useState(0);
  const recent = useRef<LiveReadings>({ id: series, t: [], v: [] });
  const loader = useLoader(series, recent, setState);
  const points = pointsFor(asked.widthPx);
  const follows = window.edge !== "still";
  // A window that follows keeps its answer: what is new arrives live.
  const place = follows ? JSON.stringify(asked.range) : `${window.fromUs} ${window.toUs}`;
  const renewed = useRef(refresh);
  // Run again only for these; `place` stands for the window
  useEffect(() => {
    if (points === 0) return;
    const margin = Math.round((window.toUs - window.fromUs) * MARGIN);
    const question = {
      series,
      fromUs: Math.max(window.fromUs - margin, TIME_US_MIN),
      toUs: Math.min(window.toUs + margin, TIME_US_MAX),
      points: points * (1 + 2 * MARGIN),
      words,
    };
    const renewal = renewed.current !== refresh;
    renewed.current = refresh;
    if (renewal) {
      loader.renew(question);
      return;
    }
    setState((old) => ({ ...own(old, series), loading: true }));
    loader.ask(question, !asked.held);
  }, [series, place, points, words, refresh]);
  useLive(series, follows, recent, setState, asked.heard, () => setRefresh((n) => n + 1));
  const mine = own(state, series);
  const data = useMemo(
    () => (mine.answer ? plotData(mine.answer.history, series) : NO_DATA),
    [mine.answer, series],
  );
  return { ...mine, data };
}

/** Points to ask for; in steps, so that a few pixels of resizing ask nothing. None before layout. */
function pointsFor(widthPx: number): number {
  if (widthPx === 0) return 0;
  return Math.max(Math.round(widthPx / PIXELS_PER_POINT / 100), 2) * 100;
}

type State = ChartHistory & { series: string };
type SetState = (change: (old: State) => State) => void;

function useLoader(
  series: string,
  recent: { current: LiveReadings },
  setState: SetState,
): HistoryLoader {
  const loader = useMemo(
    () =>
      new HistoryLoader(
        (answer) =>
          setState((old) => ({
            ...own(old, series),
            answer: withReadings(answer, recent.current),
            error: undefined,
            loading: false,
            generation: old.generation + 1,
          })),
        (error) => setState((old) => ({ ...own(old, series), error, loading: false })),
      ),
    [series, recent, setState],
  );
  useEffect(() => () => loader.stop(), [loader]);
  return loader;
}

function useLive(
  series: string,
  wanted: boolean,
  recent: { current: LiveReadings },
  setState: SetState,
  heard: (newest: Heard) => void,
  refresh: () => void,
): void {
  // Run again only for these; refresh merely counts up a state
  useEffect(() => {
    recent.current = { id: series, t: [], v: [] };
    if (!wanted) {
      setState((old) => ({ ...own(old, series), live: "off" }));
      return;
    }
    const throttle = new Throttle(refresh);
    let opened = 0;
    const stop = followSeries(series, {
      state: (live) => {
        setState((old) => ({ ...own(old, series), live }));
        if (live === "open" && opened++ > 0) throttle.poke(0);
      },
      readings: (event) => {
        if (event.id !== series) return;
        recent.current = joined(recent.current, event);
        heard(newestOf(event));
        setState((old) => {
          const mine = own(old, series);
          const everyMs = refreshMs(mine.answer, event);
          if (everyMs !== undefined) throttle.poke(everyMs);
          return mine.answer ? { ...mine, answer: withReadings(mine.answer, event) } : mine;
        });
      },
      anomaly: (event) => setState((old) => withAnomaly(own(old, series), event)),
    });
    return () => {
      stop();
      throttle.stop();
    };
  }, [series, wanted]);
}

/** How soon buckets, or a late reading among raw ones, are to be asked for again; undefined if not. */
function refreshMs(answer: Answer | undefined, event: LiveReadings): number | undefined {
  if (!answer) return undefined;
  const { history, question } = answer;
  if (!isRaw(history)) {
    const last = history.series[0]?.t.at(-1) ?? Number.NEGATIVE_INFINITY;
    // A recording played fast leaves the drawing behind: catch up at once.
    if (newestOf(event).ts > last + 2 * history.bucket_us) return REFRESH_MS.min;
    const share = history.bucket_us / 1_000 / REFRESH_MS.perBucket;
    return Math.min(Math.max(share, REFRESH_MS.min), REFRESH_MS.max);
  }
  const times = history.series[0]?.t ?? [];
  const last = times.at(-1) ?? Number.NEGATIVE_INFINITY;
  const grown = times.length > 4 * question.points;
  return grown || event.t.some((ts) => ts < last) ? REFRESH_MS.min : undefined;
}

function newestOf(event: LiveReadings): Heard {
  const at = event.t.reduce((best, ts, i) => (ts >= (event.t[best] ?? ts) ? i : best), 0);
  return { ts: event.t[at] ?? Number.NEGATIVE_INFINITY, value: event.v[at] ?? null };
}

function withReadings(answer: Answer, event: LiveReadings): Answer {
  if (!isRaw(answer.history) || event.t.length === 0) return answer;
  const series = answer.history.series.map((track) =>
    track.id === event.id ? appendRaw(track, event.t, event.v) : track,
  );
  return { ...answer, history: { ...answer.history, series } };
}

function withAnomaly(state: State, event: Anomaly): State {
  if (!state.answer || event.series !== state.series) return state;
  const known = state.answer.anomalies.some(
    (one) => one.ts === event.ts && one.model === event.model,
  );
  if (known) return state;
  return { ...state, answer: { ...state.answer, anomalies: [event, ...state.answer.anomalies] } };
}

function joined(a: LiveReadings, b: LiveReadings): LiveReadings {
  const last = a.t.at(-1) ?? Number.NEGATIVE_INFINITY;
  const later = b.t.map((ts, i) => ({ ts, v: b.v[i] ?? null })).filter((one) => one.ts > last);
  return {
    id: a.id,
    t: [...a.t, ...later.map((one) => one.ts)].slice(-RECENT_MAX),
    v: [...a.v, ...later.map((one) => one.v)].slice(-RECENT_MAX),
  };
}

function own(state: State, series: string): State {
  return state.series === series ? state : blank(series);
}

function blank(series: string): State {
  return {
    series,
    answer: undefined,
    data: NO_DATA,
    error: undefined,
    loading: true,
    generation: 0,
    live: "off",
  };
}
