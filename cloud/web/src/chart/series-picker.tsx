import { useEffect, useRef, useState } from "preact/hooks";
import { getJson } from "../api/client.ts";
import { asApiError } from "../api/poll.ts";
import type { Series } from "../api/types.ts";

const FOUND_MAX = 20;
/** Long enough to type the next letter. */
const SETTLE_MS = 150;

interface Props {
  /** Ids that are in the chart already. */
  without: readonly string[];
  onPick(id: string): void;
}

/** Find another series for the chart by a part of its name, its device's or its gateway's. */
export function SeriesPicker({ without, onPick }: Props) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState("");
  const [found, setFound] = useState<Series[]>([]);
  const [fault, setFault] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (open) field.current?.focus();
  }, [open]);
  useEffect(() => {
    if (!open) return;
    const stop = new AbortController();
    const ask = async () => {
      try {
        const asked = { q: text, limit: FOUND_MAX };
        const answer = await getJson<{ series: Series[] }>("series", asked, stop.signal);
        setFound(answer.series);
        setFault("");
      } catch (cause) {
        if (!stop.signal.aborted) setFault(asApiError(cause).message);
      }
    };
    const timer = setTimeout(ask, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [open, text]);
  const close = () => {
    setOpen(false);
    setText("");
  };
  const pick = (id: string) => {
    close();
    onPick(id);
  };
  if (!open) {
    return (
      <button
        type="button"
        class="small-key"
        data-testid="add-series"
        onClick={() => setOpen(true)}
      >
        + Add a series
      </button>
    );
  }
  const offered = found.filter((one) => !without.includes(one.id));
  return (
    <search class="adder" onKeyDown={(event) => event.key === "Escape" && close()}>
      <input
        ref={field}
        type="search"
        value={text}
        placeholder="Metric, device or gateway"
        aria-label="Find a series to add"
        data-testid="picker-field"
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && offered[0] && pick(offered[0].id)}
      />
      <button type="button" class="small-key" onClick={close}>
        Cancel
      </button>
      {fault && <p class="hot">{fault}</p>}
      <ul class="adder-found" data-testid="picker-found">
        {offered.map((one) => (
          <li key={one.id}>
            <button type="button" data-series={one.id} onClick={() => pick(one.id)}>
              <span>
                {one.device} · {one.metric}
              </span>
              <span class="quiet">
                {one.unit} {one.gateway}
              </span>
            </button>
          </li>
        ))}
        {offered.length === 0 && <li class="quiet">No other series has this in its name.</li>}
      </ul>
    </search>
  );
}
