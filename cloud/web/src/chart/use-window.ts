import { useEffect, useRef, useState } from "preact/hooks";
import { serverClock } from "../api/server-clock.ts";
import { go, trail } from "../navigation.ts";
import { DEFAULT_RANGE, type Range, sameRange } from "../route.ts";
import type { SeriesRoute } from "./use-choice.ts";
import { type Extent, resolve, toRange, type Window, zoom } from "./window.ts";

/** A gesture is over when it has rested this long; its window then goes into the address. */
const REST_MS = 350;
/** Gestures closer together than this are one step for the back button. */
const ONE_STEP_MS = 1_500;

export interface WindowControl {
  window: Window;
  /** A gesture is under way. */
  held: boolean;
  /** Show this window; `settled` writes it into the address at once. */
  ask(window: Window, settled: boolean): void;
  choose(range: Range): void;
  zoomOut(): void;
  reset(): void;
}

/** The chart's window: what the address says, a gesture in progress, and the present moving on. */
export function useWindow(route: SeriesRoute, extent: Extent, widthPx: number): WindowControl {
  const [held, setHeld] = useState<Window | undefined>();
  const now = useNow(route, extent, widthPx, held !== undefined);
  const rest = useRef(0);
  const lastStepMs = useRef(0);
  const latest = useRef({ route, extent });
  latest.current = { route, extent };
  const address = `${route.series} ${JSON.stringify(route.range)}`;
  // Run again only for this: a new address ends any gesture
  useEffect(() => {
    clearTimeout(rest.current);
    setHeld(undefined);
  }, [address]);

  const commit = (window: Window) => {
    const { route, extent } = latest.current;
    const range = toRange(window, extent, serverClock.nowUs());
    setHeld(undefined);
    if (sameRange(range, route.range)) return;
    const before = trail();
    const again = before.zooms > 0 && Date.now() - lastStepMs.current < ONE_STEP_MS;
    lastStepMs.current = Date.now();
    const mark = { zooms: before.zooms + (again ? 0 : 1), home: before.home ?? route.range };
    go({ ...route, range }, again ? "replace" : "push", mark);
  };
  const shown = held ?? resolve(route.range, extent, now);
  const ask = (window: Window, settled: boolean) => {
    clearTimeout(rest.current);
    if (settled) {
      lastStepMs.current = 0;
      commit(window);
      return;
    }
    setHeld(window);
    rest.current = after(REST_MS, () => commit(window));
  };
  const drop = () => {
    clearTimeout(rest.current);
    setHeld(undefined);
  };
  const choose = (range: Range) => {
    drop();
    go({ ...route, range });
  };
  return {
    window: shown,
    held: held !== undefined,
    ask,
    choose,
    zoomOut: () => {
      // A gesture not yet in the address is undone by forgetting it.
      if (held) drop();
      else if (trail().zooms > 0) history.back();
      else ask(zoom(shown, 2, (shown.fromUs + shown.toUs) / 2), true);
    },
    reset: () => choose(trail().home ?? homeOf(route.range)),
  };
}

/** Without a zoom to go back from, a range that follows is its own home. */
function homeOf(range: Range): Range {
  return range.kind === "fixed" ? DEFAULT_RANGE : range;
}

function after(ms: number, then: () => void): number {
  return window.setTimeout(then, ms);
}

/** The server's present; while the window follows it, moving on about a pixel at a time. */
function useNow(route: SeriesRoute, extent: Extent, widthPx: number, held: boolean): number {
  const [, redraw] = useState(0);
  const now = serverClock.nowUs();
  const { fromUs, toUs, edge } = resolve(route.range, extent, now);
  const pixelMs = (toUs - fromUs) / Math.max(widthPx, 100) / 1000;
  const everyMs = Math.round(Math.min(Math.max(pixelMs, 500), 10_000));
  const moving = edge === "present" && !held;
  useEffect(() => {
    if (!moving) return;
    const timer = setInterval(() => redraw((n) => n + 1), everyMs);
    return () => clearInterval(timer);
  }, [moving, everyMs]);
  return now;
}
