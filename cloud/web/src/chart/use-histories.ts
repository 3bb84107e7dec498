import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ApiError } from "../api/client.ts";
import { followSeries, type LiveState } from "../api/live.ts";
import type { LiveReadings, Stretch } from "../api/types.ts";
import type { Range } from "../route.ts";
import { type Answer, HistoryLoader, type Question } from "./history-loader.ts";
import { joined, newestOf, refreshMs, withAnomaly, withReadings } from "./live-readings.ts";
import { NO_DATA, type PlotData, plotData } from "./plot-data.ts";
import { Throttle } from "./throttle.ts";
import type { Window } from "./window.ts";

/** How much is fetched beside the window, as a share of it: panning starts with data at hand. */
const MARGIN = 0.5;
/** The years 1 to 9999, which is all that the API takes. */
const TIME_US_MIN = -62_135_596_800_000_000;
const TIME_US_MAX = 253_402_214_400_000_000;
/** Two pixels a bucket: at one, a swinging mean fills its own band. */
const PIXELS_PER_POINT = 2;

/** A reading heard live, newer than any before. */
export interface Heard {
  ts: number;
  value: number | null;
}

/** A series to be shown, and how its readings are asked for. */
export interface Wanted {
  id: string;
  /** Its readings are states or texts: a mean of those would say nothing. */
  words: boolean;
  /** It is drawn as bars, for how long each value stood. */
  bars: boolean;
}

interface Asked {
  wanted: readonly Wanted[];
  range: Range;
  window: Window;
  /** A gesture is under way. */
  held: boolean;
  widthPx: number;
  /** Every reading rather than buckets. */
  every: boolean;
  /** Readings that are marked as bad are left out. */
  withoutBad: boolean;
  /** Rises when marks changed, and with them what is left out. */
  version: number;
  heard(series: string, newest: Heard): void;
}

export interface ChartHistory {
  answer: Answer | undefined;
  data: PlotData;
  /** For how long each value stood; of series drawn as bars. */
  stretches: readonly Stretch[];
  error: ApiError | undefined;
  loading: boolean;
  /** Answers applied so far: rises with each refetch. */
  generation: number;
  live: LiveState | "off";
}

type Held = Omit<ChartHistory, "data" | "stretches">;
type States = Readonly<Record<string, Held>>;
type SetStates = (change: (old: States) => States) => void;

const BLANK: Held = {
  answer: undefined,
  error: undefined,
  loading: true,
  generation: 0,
  live: "off",
};
const NO_STRETCHES: readonly Stretch[] = [];

/** Histories of all shown series for one window: fetched when it settles, extended live. */
export function useHistories(asked: Asked): (id: string) => ChartHistory {
  const [states, setStates] = useState<States>({});
  const ids = asked.wanted.map((one) => one.id).join(",");
  const follows = asked.window.edge !== "still";
  const loaders = useLoaders(setStates);
  const latest = useRef(asked);
  latest.current = asked;
  const points = pointsFor(asked.widthPx);
  // A window that follows keeps its answer: what is new arrives live.
  const place = follows
    ? JSON.stringify(asked.range)
    : `${asked.window.fromUs} ${asked.window.toUs}`;
  const detail = `${asked.every} ${asked.withoutBad} ${asked.version}`;
  // Run again only for these; `place` stands for the window, `detail` for how it is asked
  useEffect(() => {
    if (points === 0) return;
    loaders.keepOnly(asked.wanted.map((one) => one.id));
    const key = `${place} ${points} ${detail}`;
    for (const one of asked.wanted) {
      if (!loaders.isNew(one.id, key)) continue;
      setStates((old) => changed(old, one.id, { loading: true }));
      loaders.of(one.id).ask(questionOf(asked, one), !asked.held);
    }
  }, [ids, place, points, detail]);
  useLive(ids, follows, loaders, setStates, {
    heard: (id, newest) => latest.current.heard(id, newest),
    renew: (id) => {
      const one = latest.current.wanted.find((each) => each.id === id);
      if (one) loaders.of(id).renew(questionOf(latest.current, one));
    },
  });
  const drawn = useRef(new WeakMap<Answer, PlotData>());
  return (id) => {
    const held = states[id] ?? BLANK;
    const { answer } = held;
    if (!answer) return { ...held, data: NO_DATA, stretches: NO_STRETCHES };
    const data = drawn.current.get(answer) ?? plotData(answer.history, id);
    drawn.current.set(answer, data);
    return { ...held, data, stretches: answer.stretches };
  };
}

function questionOf(asked: Asked, one: Wanted): Question {
  const { window } = asked;
  const margin = Math.round((window.toUs - window.fromUs) * MARGIN);
  return {
    series: one.id,
    fromUs: Math.max(window.fromUs - margin, TIME_US_MIN),
    toUs: Math.min(window.toUs + margin, TIME_US_MAX),
    points: pointsFor(asked.widthPx) * (1 + 2 * MARGIN),
    words: one.words,
    bars: one.bars,
    every: asked.every,
    withoutBad: asked.withoutBad,
  };
}

/** Points to ask for; in steps, so that a few pixels of resizing ask nothing. None before layout. */
function pointsFor(widthPx: number): number {
  if (widthPx === 0) return 0;
  return Math.max(Math.round(widthPx / PIXELS_PER_POINT / 100), 2) * 100;
}

/** One loader a series, what it was last asked, and what was heard of it since. */
class Loaders {
  readonly recent = new Map<string, LiveReadings>();
  private readonly loaders = new Map<string, HistoryLoader>();
  private readonly asked = new Map<string, string>();
  private readonly setStates: SetStates;

  constructor(setStates: SetStates) {
    this.setStates = setStates;
  }

  of(id: string): HistoryLoader {
    const known = this.loaders.get(id);
    if (known) return known;
    const made = new HistoryLoader(
      (answer) =>
        this.setStates((old) =>
          changed(old, id, {
            answer: withReadings(answer, this.recent.get(id) ?? { id, t: [], v: [] }),
            error: undefined,
            loading: false,
            generation: (old[id]?.generation ?? 0) + 1,
          }),
        ),
      (error) => this.setStates((old) => changed(old, id, { error, loading: false })),
    );
    this.loaders.set(id, made);
    return made;
  }

  /** Whether a series is to be asked with another key than before; remembers it. */
  isNew(id: string, key: string): boolean {
    if (this.asked.get(id) === key) return false;
    this.asked.set(id, key);
    return true;
  }

  /** Forget the series that are not shown any more. */
  keepOnly(ids: readonly string[]): void {
    for (const [id, loader] of this.loaders) {
      if (ids.includes(id)) continue;
      loader.stop();
      this.loaders.delete(id);
      this.asked.delete(id);
      this.setStates(({ [id]: _gone, ...rest }) => rest);
    }
  }

  stop(): void {
    for (const loader of this.loaders.values()) loader.stop();
  }
}

function useLoaders(setStates: SetStates): Loaders {
  const loaders = useMemo(() => new Loaders(setStates), [setStates]);
  useEffect(() => () => loaders.stop(), [loaders]);
  return loaders;
}

interface LiveEvents {
  heard(id: string, newest: Heard): void;
  renew(id: string): void;
}

/** One live feed for all series: a browser holds only a few connections to a server. */
function useLive(
  ids: string,
  wanted: boolean,
  loaders: Loaders,
  setStates: SetStates,
  events: LiveEvents,
): void {
  const latest = useRef(events);
  latest.current = events;
  // Run again only for these
  useEffect(() => {
    const all = ids.split(",");
    loaders.recent.clear();
    const tell = (live: ChartHistory["live"]) =>
      setStates((old) => all.reduce((states, id) => changed(states, id, { live }), old));
    if (!wanted) {
      tell("off");
      return;
    }
    const throttles = new Map(
      all.map((id) => [id, new Throttle(() => latest.current.renew(id))] as const),
    );
    let opened = 0;
    const stop = followSeries(ids, {
      state: (live) => {
        tell(live);
        if (live === "open" && opened++ > 0) for (const one of throttles.values()) one.poke(0);
      },
      readings: (event) => {
        const known = loaders.recent.get(event.id) ?? { id: event.id, t: [], v: [] };
        loaders.recent.set(event.id, joined(known, event));
        latest.current.heard(event.id, newestOf(event));
        setStates((old) => {
          const answer = old[event.id]?.answer;
          if (!answer) return old;
          const everyMs = refreshMs(answer, event);
          if (everyMs !== undefined) throttles.get(event.id)?.poke(everyMs);
          return changed(old, event.id, { answer: withReadings(answer, event) });
        });
      },
      anomaly: (event) =>
        setStates((old) => {
          const answer = old[event.series]?.answer;
          return answer ? changed(old, event.series, { answer: withAnomaly(answer, event) }) : old;
        }),
    });
    return () => {
      stop();
      for (const one of throttles.values()) one.stop();
    };
  }, [ids, wanted]);
}

function changed(states: States, id: string, change: Partial<Held>): States {
  return { ...states, [id]: { ...BLANK, ...states[id], ...change } };
}
