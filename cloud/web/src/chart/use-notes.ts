import { useEffect, useState } from "preact/hooks";
import type { ApiError } from "../api/client.ts";
import { getJson } from "../api/client.ts";
import { asApiError } from "../api/poll.ts";
import type { Episode, Mark } from "../api/types.ts";
import type { Window } from "./window.ts";

/** Long enough for a gesture to be over. */
const SETTLE_MS = 160;
/** How often what is said is asked again while the window follows the present. */
const AGAIN_MS = 10_000;
const EPISODES_MAX = 500;
const MARKS_MAX = 500;

/** What gateways and people said of the shown series around the window. */
export interface Notes {
  episodes: readonly Episode[];
  marks: readonly Mark[];
  error: ApiError | undefined;
}

const NONE: Notes = { episodes: [], marks: [], error: undefined };

/** Episodes and marks of series that meet a window; `version` asks anew. */
export function useNotes(ids: string, window: Window, version: number): Notes {
  const [notes, setNotes] = useState<Notes & { ids: string }>({ ...NONE, ids });
  const follows = window.edge !== "still";
  const span = window.toUs - window.fromUs;
  // A window that follows moves a little all the time: a share of it is soon enough.
  const place = follows ? `${span} ${Math.floor(window.toUs / span)}` : `${window.fromUs} ${span}`;
  const [again, setAgain] = useState(0);
  useEffect(() => {
    if (!follows) return;
    const timer = setInterval(() => setAgain((n) => n + 1), AGAIN_MS);
    return () => clearInterval(timer);
  }, [follows]);
  // Run again only for these; `place` stands for the window
  useEffect(() => {
    const stop = new AbortController();
    const from = Math.floor(window.fromUs);
    const asked = { series: ids, from, to: Math.ceil(window.toUs) };
    const ask = async () => {
      try {
        const [{ episodes }, { marks }] = await Promise.all([
          getJson<{ episodes: Episode[] }>(
            "episodes",
            { ...asked, limit: EPISODES_MAX },
            stop.signal,
          ),
          getJson<{ marks: Mark[] }>("marks", { ...asked, limit: MARKS_MAX }, stop.signal),
        ]);
        setNotes({ episodes, marks, error: undefined, ids });
      } catch (cause) {
        if (!stop.signal.aborted)
          setNotes((old) => ({ ...(old.ids === ids ? old : NONE), error: asApiError(cause), ids }));
      }
    };
    const timer = setTimeout(ask, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [ids, place, version, again]);
  return notes.ids === ids ? notes : NONE;
}
