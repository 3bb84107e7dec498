import { sendJson } from "../api/send.ts";
import type { Mark } from "../api/types.ts";
import { count } from "../format/number.ts";
import { instant, SECOND_US, span } from "../format/time.ts";
import { AuthorField, useAuthor } from "../parts/author.tsx";
import { Failure } from "../parts/failure.tsx";
import { useSending } from "../parts/use-sending.ts";
import { NeedsOperator, useMayWrite } from "../session/may-write.tsx";
import { MARK_NAMES, markScope } from "./mark-names.ts";

interface Props {
  marks: readonly Mark[];
  /** Offer to mark what the chart shows: the way without a pointer. */
  onNew(): void;
  onChoose(mark: Mark): void;
  onWithdrawn(): void;
}

/** The marks that meet the window; each can be taken back, and what it left out returns. */
export default function MarkList({ marks, onNew, onChoose, onWithdrawn }: Props) {
  const sending = useSending();
  const author = useAuthor();
  const mayWrite = useMayWrite();
  const withdraw = (mark: Mark) =>
    sending.run(async () => {
      await sendJson("DELETE", `marks/${mark.id}`, { author: author.name });
      author.keep();
      onWithdrawn();
    });
  return (
    <section class="anomalies" aria-label="Marks in this window">
      <h2>
        Marks <span class="figure">{count(marks.length)}</span>
        {mayWrite && (
          <button
            type="button"
            class="small-key"
            data-needs="operator"
            data-testid="mark-window"
            onClick={onNew}
          >
            Mark this window
          </button>
        )}
      </h2>
      {sending.error && <Failure error={sending.error} />}
      {!mayWrite && <NeedsOperator what="a mark" />}
      {mayWrite && marks.length > 0 && (
        <div class="side-author">
          <AuthorField
            author={author}
            label="Your name, to put one back"
            testid="withdraw-author"
          />
        </div>
      )}
      {marks.length === 0 && <p class="quiet">None in this window.</p>}
      <ol class="anomaly-list" data-testid="mark-list">
        {marks.map((mark) => (
          <li key={mark.id} class="mark-item" data-testid="mark-item" data-kind={mark.kind}>
            <button type="button" class="anomaly" title="Show it" onClick={() => onChoose(mark)}>
              <span class={`mark-name ${mark.kind}`}>{MARK_NAMES[mark.kind]}</span>
              <span class="quiet">{span(mark.to - mark.from)}</span>
              <span class="mark-when">
                {instant(mark.from, SECOND_US)} – {instant(mark.to, SECOND_US)}
              </span>
              {mark.note && <span class="mark-note">{mark.note}</span>}
              <span class="anomaly-why">
                <span>{mark.author}</span>
                <span class="anomaly-model">{markScope(mark)}</span>
              </span>
            </button>
            <button
              type="button"
              class="small-key"
              disabled={sending.busy || author.name === ""}
              data-needs="operator"
              data-testid="mark-withdraw"
              aria-label={`Put back: ${MARK_NAMES[mark.kind]}, ${instant(mark.from, SECOND_US)}`}
              onClick={() => withdraw(mark)}
            >
              Put back
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
