import { useState } from "preact/hooks";
import { ownId, sendJson } from "../api/send.ts";
import type { Episode, VerdictKind } from "../api/types.ts";
import { keepAuthor, knownAuthor } from "../parts/author.ts";
import { Failure } from "../parts/failure.tsx";
import { useSending } from "../parts/use-sending.ts";
import { verdictName } from "./episode-list.tsx";

const NOTE_CHARS_MAX = 2_000;
const AUTHOR_CHARS_MAX = 100;

interface Props {
  episode: Episode;
  onGiven(said: Pick<Episode, "verdict" | "verdict_note" | "verdict_author">): void;
}

/** Confirm or dismiss one episode with a note, or take that back. Its key is the episode's id. */
export function VerdictForm({ episode, onGiven }: Props) {
  const [note, setNote] = useState(episode.verdict_note);
  const [author, setAuthor] = useState(knownAuthor);
  const sending = useSending();
  const give = (verdict: VerdictKind | "open") =>
    sending.run(async () => {
      const { id, series, from } = episode;
      const said = { verdict, note, author: author.trim(), id: ownId() };
      const body = { episode: id, series: [series], from, ...said };
      await sendJson("POST", "verdicts", {}, body);
      keepAuthor(author.trim());
      const taken = verdict === "open";
      onGiven({
        verdict: taken ? null : verdict,
        verdict_note: taken ? "" : note,
        verdict_author: taken ? "" : author.trim(),
      });
    });
  const nameless = author.trim() === "";
  return (
    <form
      class="form verdict-form"
      data-testid="verdict-form"
      aria-label="Verdict on this episode"
      onSubmit={(event) => {
        event.preventDefault();
        if (!nameless) give("confirmed");
      }}
    >
      <p>
        <span class={`verdict ${episode.verdict ?? "open"}`} data-testid="verdict-now">
          {verdictName(episode)}
        </span>
        {episode.verdict && <span class="quiet"> by {episode.verdict_author}</span>}
      </p>
      {sending.error && <Failure error={sending.error} />}
      <label>
        Note
        <textarea
          rows={2}
          maxLength={NOTE_CHARS_MAX}
          value={note}
          data-testid="verdict-note"
          onInput={(event) => setNote(event.currentTarget.value)}
        />
      </label>
      <label>
        Your name
        <input
          required
          maxLength={AUTHOR_CHARS_MAX}
          value={author}
          autocomplete="name"
          data-testid="verdict-author"
          onInput={(event) => setAuthor(event.currentTarget.value)}
        />
      </label>
      <div class="form-end">
        <button
          type="submit"
          class="main"
          disabled={sending.busy || nameless}
          data-testid="confirm"
        >
          Confirm
        </button>
        <button
          type="button"
          class="small-key"
          disabled={sending.busy || nameless}
          data-testid="dismiss"
          onClick={() => give("dismissed")}
        >
          Dismiss
        </button>
        {episode.verdict && (
          <button
            type="button"
            class="small-key"
            disabled={sending.busy || nameless}
            data-testid="take-back"
            onClick={() => give("open")}
          >
            Take back
          </button>
        )}
      </div>
    </form>
  );
}
