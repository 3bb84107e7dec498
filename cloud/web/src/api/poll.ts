import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./client.ts";

export interface Polled<T> {
  /** The newest answer; kept when a later request fails. */
  value: T | undefined;
  /** Why the last request failed, if it did. */
  error: ApiError | undefined;
  /** When `value` arrived, browser clock, milliseconds. */
  asOfMs: number | undefined;
}

/** Ask again every `everyMs` while the page is visible. A new `key` starts from nothing. */
export function usePolled<T>(
  key: string,
  everyMs: number,
  load: (signal: AbortSignal) => Promise<T>,
): Polled<T> {
  const [polled, setPolled] = useState<Polled<T> & { key: string }>(nothing(key));
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const ask = async () => {
      clearTimeout(timer);
      if (!document.hidden) {
        try {
          const value = await latest.current(stop.signal);
          if (stop.signal.aborted) return;
          setPolled({ key, value, error: undefined, asOfMs: Date.now() });
        } catch (cause) {
          if (stop.signal.aborted) return;
          const error = asApiError(cause);
          setPolled((old) => ({ ...(old.key === key ? old : nothing<T>(key)), error }));
        }
      }
      timer = window.setTimeout(ask, everyMs);
    };
    const wake = () => document.hidden || ask();
    document.addEventListener("visibilitychange", wake);
    ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", wake);
    };
  }, [key, everyMs]);
  return polled.key === key ? polled : nothing(key);
}

/** Anything thrown while asking, as an ApiError. */
export function asApiError(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause;
  return new ApiError("unreadable", `The answer could not be read: ${String(cause)}`, "");
}

function nothing<T>(key: string): Polled<T> & { key: string } {
  return { key, value: undefined, error: undefined, asOfMs: undefined };
}
