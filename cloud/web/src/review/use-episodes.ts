import { useEffect, useState } from "preact/hooks";
import { type ApiError, getJson, type Params } from "../api/client.ts";
import { asApiError } from "../api/poll.ts";
import type { Episode } from "../api/types.ts";
import type { ReviewChoice } from "./review-address.ts";

const PAGE = 100;
/** Long enough to type the next letter of a filter. */
const SETTLE_MS = 200;

interface Page {
  episodes: Episode[];
  next: string | null;
}

export interface Episodes {
  /** Undefined until the first answer. */
  rows: readonly Episode[] | undefined;
  /** There are more behind these. */
  more: boolean;
  error: ApiError | undefined;
  /** Ask for the next page. */
  load(): void;
  /** Put what somebody just said into the list: the row stays where the reviewer is. */
  say(id: string, said: Partial<Episode>): void;
}

/** The episodes that a review lists, page by page. */
export function useEpisodes(choice: ReviewChoice): Episodes {
  const params = paramsOf(choice);
  const key = JSON.stringify(params);
  const [rows, setRows] = useState<readonly Episode[] | undefined>();
  const [next, setNext] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | undefined>();
  // Run again only for this: other filters are another list
  useEffect(() => {
    const stop = new AbortController();
    const ask = async () => {
      try {
        const page = await getJson<Page>("episodes", params, stop.signal);
        setRows(page.episodes);
        setNext(page.next);
        setError(undefined);
      } catch (cause) {
        if (!stop.signal.aborted) setError(asApiError(cause));
      }
    };
    const timer = setTimeout(ask, rows === undefined ? 0 : SETTLE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [key]);
  const load = async () => {
    if (next === null) return;
    try {
      const page = await getJson<Page>("episodes", { ...params, cursor: next });
      setRows((old) => [...(old ?? []), ...page.episodes]);
      setNext(page.next);
    } catch (cause) {
      setError(asApiError(cause));
    }
  };
  const say = (id: string, said: Partial<Episode>) =>
    setRows((old) => old?.map((one) => (one.id === id ? { ...one, ...said } : one)));
  return { rows, more: next !== null, error, load, say };
}

function paramsOf(choice: ReviewChoice): Params {
  return {
    gateway: choice.gateway,
    device: choice.device,
    metric: choice.metric,
    model: choice.model,
    score_min: choice.score,
    verdict: choice.state === "all" ? undefined : choice.state,
    order: choice.order,
    limit: PAGE,
  };
}
