import { useState } from "preact/hooks";
import { ownId, sendJson } from "../api/send.ts";
import type { Episode, VerdictKind } from "../api/types.ts";
import { AuthorField, useAuthor } from "../parts/author.tsx";
import { Failure } from "../parts/failure.tsx";
import { useSending } from "../parts/use-sending.ts";
import { NeedsOperator, useMayWrite } from "../session/may-write.tsx";
import { verdictName } from "./episode-list.tsx";

const NOTE_CHARS_MAX = 2_000;

interface Props {
  episode: Episode;
  onGiven(said: Pick<Episode, "verdict" | "verdict_note" | "verdict_author">): void;
}

/** Confirm or dismiss one episode with a note, or take that back. Its key is the episode's id. */
export function VerdictForm({ episode, onGiven }: Props) {
  const [note, setNote] = useState(episode.verdict_note);
  const author = useAuthor();
  const mayWrite = useMayWrite();
  const sending = useSending();
  const give = (verdict: VerdictKind | "open") =>
    sending.run(async () => {
      const { id, series, from } = episode;
      const said = { verdict, note, author: author.name, id: ownId() };
      const body = { episode: id, series: [series], from, ...said };
      await sendJson("POST", "verdicts", {}, body);
      author.keep();
      const taken = verdict === "open";
      onGiven({
        verdict: taken ? null : verdict,
        verdict_note: taken ? "" : note,
        verdict_author: taken ? "" : author.name,
      });
    });
  const nameless = author.name === "";
  if (!mayWrite) return <Judged episode={episode} />;
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
      <Verdict episode={episode} />
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
      <AuthorField author={author} label="Your name" testid="verdict-author" />
      <div class="form-end" data-needs="operator">
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

/** What was said of it, and by whom. */
function Verdict({ episode }: { episode: Episode }) {
  return (
    <p>
      <span class={`verdict ${episode.verdict ?? "open"}`} data-testid="verdict-now">
        {verdictName(episode)}
      </span>
      {episode.verdict && <span class="quiet"> by {episode.verdict_author}</span>}
    </p>
  );
}

/** The same for who may not say otherwise. */
function Judged({ episode }: { episode: Episode }) {
  return (
    <section class="form verdict-form" data-testid="verdict" aria-label="Verdict on this episode">
      <Verdict episode={episode} />
      {episode.verdict_note && <p>{episode.verdict_note}</p>}
      <NeedsOperator what="a verdict" />
    </section>
  );
}
