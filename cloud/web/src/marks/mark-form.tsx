import { useState } from "preact/hooks";
import { ownId, sendJson } from "../api/send.ts";
import type { Mark, MarkKind, Series } from "../api/types.ts";
import { isoFromUs, moment, span, usFromIso } from "../format/time.ts";
import { AuthorField, useAuthor } from "../parts/author.tsx";
import { Failure } from "../parts/failure.tsx";
import { useSending } from "../parts/use-sending.ts";
import { MARK_NAMES } from "./mark-names.ts";

const NOTE_CHARS_MAX = 2_000;

/** An interval that is about to be marked. */
export interface Draft {
  fromUs: number;
  toUs: number;
}

interface Props {
  draft: Draft;
  /** The chart's series, the first being the view's own. */
  series: readonly Series[];
  onMade(mark: Mark): void;
  onCancel(): void;
}

type Scope = "first" | "all" | "device" | "gateway";

/** What is to be said of an interval: its kind, of what, a note, and who says it. */
export default function MarkForm({ draft, series, onMade, onCancel }: Props) {
  const [id] = useState(ownId);
  const [kind, setKind] = useState<MarkKind>("fault");
  const [scope, setScope] = useState<Scope>("first");
  const [from, setFrom] = useState(isoFromUs(draft.fromUs));
  const [to, setTo] = useState(isoFromUs(draft.toUs));
  const [note, setNote] = useState("");
  const author = useAuthor();
  const sending = useSending();
  const [first] = series;
  const fromUs = usFromIso(from);
  const toUs = usFromIso(to);
  const wrong = fromUs === undefined || toUs === undefined || fromUs >= toUs;
  if (!first) return null;
  const submit = (event: Event) => {
    event.preventDefault();
    if (wrong) return;
    sending.run(async () => {
      const of = spoken(scope, first, series);
      const body = { kind, from: fromUs, to: toUs, author: author.name, note, id, ...of };
      const made = await sendJson<Mark>("POST", "marks", {}, body);
      author.keep();
      onMade(made);
    });
  };
  return (
    <form class="form" onSubmit={submit} data-testid="mark-form" aria-label="Mark an interval">
      <h2>Mark an interval</h2>
      {sending.error && <Failure error={sending.error} />}
      <fieldset class="choices">
        <legend>It is</legend>
        {(Object.keys(MARK_NAMES) as MarkKind[]).map((one) => (
          <label key={one}>
            <input
              type="radio"
              name="kind"
              value={one}
              checked={kind === one}
              onChange={() => setKind(one)}
            />
            {MARK_NAMES[one]}
          </label>
        ))}
      </fieldset>
      <label>
        Of
        <select
          value={scope}
          data-testid="mark-scope"
          onChange={(event) => setScope(event.currentTarget.value as Scope)}
        >
          <option value="first">
            {first.device} · {first.metric}
          </option>
          {series.length > 1 && <option value="all">all series of this chart</option>}
          <option value="device">everything of device {first.device}</option>
          <option value="gateway">everything of gateway {first.gateway}</option>
        </select>
      </label>
      <div class="form-pair">
        <label>
          From (UTC)
          <input
            value={from}
            required
            data-testid="mark-from"
            onInput={(event) => setFrom(event.currentTarget.value)}
          />
        </label>
        <label>
          To, not included
          <input
            value={to}
            required
            data-testid="mark-to"
            onInput={(event) => setTo(event.currentTarget.value)}
          />
        </label>
      </div>
      <p class={wrong ? "hot" : "quiet"}>
        {wrong
          ? "Write two instants as 2026-05-01T12:00:00Z, the earlier first."
          : `${moment(fromUs)}, for ${span(toUs - fromUs)}`}
      </p>
      <label>
        Note
        <textarea
          rows={3}
          maxLength={NOTE_CHARS_MAX}
          value={note}
          data-testid="mark-note"
          onInput={(event) => setNote(event.currentTarget.value)}
        />
      </label>
      <AuthorField author={author} label="Your name" testid="mark-author" />
      <div class="form-end" data-needs="operator">
        <button type="submit" class="main" disabled={sending.busy || wrong} data-testid="mark-save">
          Mark it
        </button>
        <button type="button" class="small-key" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  );
}

function spoken(scope: Scope, first: Series, series: readonly Series[]) {
  switch (scope) {
    case "first":
      return { series: [first.id] };
    case "all":
      return { series: series.map((one) => one.id) };
    case "device":
      return { gateway: first.gateway, device: first.device };
    case "gateway":
      return { gateway: first.gateway };
  }
}
