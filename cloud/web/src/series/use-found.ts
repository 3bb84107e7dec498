import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, getJson, type Params } from "../api/client.ts";
import { asApiError } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Series } from "../api/types.ts";

const PAGE_ROWS = 200;
/** A list of one page is asked for again, so that its values and ages stay true. */
const AGAIN_MS = 15_000;

interface Answer {
  series: Series[];
  total: number;
  now: number;
  next: string | null;
}

export interface Found {
  /** The first of those found, as far as they were fetched. */
  series: readonly Series[];
  /** How many were found; undefined before the first answer. */
  total: number | undefined;
  /** Whether there is more to fetch. */
  hasMore: boolean;
  /** Whether an answer is on its way. */
  busy: boolean;
  error: ApiError | undefined;
  /** Fetch the next ones; nothing happens while some are on their way. */
  more(): void;
}

interface Held {
  key: string;
  series: Series[];
  total: number | undefined;
  next: string | null;
  error: ApiError | undefined;
}

/** Series as the server finds them, page by page; what was found stays until the next is there. */
export function useFound(params: Params): Found {
  const key = JSON.stringify(params);
  const [held, setHeld] = useState<Held>({
    key: "",
    series: [],
    total: undefined,
    next: null,
    error: undefined,
  });
  const asking = useRef<{ key: string; cursor: string | null; stop: AbortController } | null>(null);
  const [busy, setBusy] = useState(true);
  const ask = useCallback((wanted: string, cursor: string | null) => {
    asking.current?.stop.abort();
    const stop = new AbortController();
    asking.current = { key: wanted, cursor, stop };
    setBusy(true);
    const asked: Params = { ...JSON.parse(wanted), limit: PAGE_ROWS, cursor: cursor ?? undefined };
    getJson<Answer>("series", asked, stop.signal)
      .then(
        (answer) => {
          serverClock.learn(answer.now);
          setHeld((old) => ({
            key: wanted,
            series: cursor === null ? answer.series : [...old.series, ...answer.series],
            total: answer.total,
            next: answer.next,
            error: undefined,
          }));
        },
        (cause) => {
          if (!stop.signal.aborted) setHeld((old) => ({ ...old, error: asApiError(cause) }));
        },
      )
      .finally(() => {
        if (asking.current?.stop === stop) {
          asking.current = null;
          setBusy(false);
        }
      });
  }, []);
  useEffect(() => {
    ask(key, null);
    return () => asking.current?.stop.abort();
  }, [key, ask]);
  const isShort = held.key === key && held.series.length <= PAGE_ROWS;
  useEffect(() => {
    if (!isShort) return;
    const again = setInterval(() => {
      if (!document.hidden && asking.current === null) ask(key, null);
    }, AGAIN_MS);
    return () => clearInterval(again);
  }, [isShort, key, ask]);
  const more = useCallback(() => {
    if (asking.current === null && held.key === key && held.next !== null && !held.error) {
      ask(key, held.next);
    }
  }, [ask, key, held]);
  return {
    series: held.series,
    total: held.total,
    hasMore: held.next !== null,
    busy,
    error: held.error,
    more,
  };
}
