import { useState } from "preact/hooks";
import { sendJson } from "../api/send.ts";
import { plural } from "../format/number.ts";
import { instant, MINUTE_US } from "../format/time.ts";
import { AuthorField, useAuthor } from "../parts/author.tsx";
import { Failure } from "../parts/failure.tsx";
import { useSending } from "../parts/use-sending.ts";
import { useMayWrite } from "../session/may-write.tsx";
import type { Rollout, Stage, State } from "./model-types.ts";

const WAY: Stage[] = ["shadow", "canary", "all", "done"];
const STATES: readonly (readonly [State, string])[] = [
  ["fetching", "being fetched"],
  ["tried", "on trial"],
  ["good", "in service"],
  ["failed", "taken back"],
  ["refused", "refused"],
];
const NOTE_CHARS_MAX = 2_000;
const HOUR_S = 3_600;

/** One rollout: how far it is, how gateways take it, and the way back. */
export function RolloutCard({ rollout }: { rollout: Rollout }) {
  const [asking, setAsking] = useState(false);
  const mayWrite = useMayWrite();
  const isBack = rollout.stage === "back";
  return (
    <li class="rollout" data-testid="rollout" data-rollout={rollout.id} data-stage={rollout.stage}>
      <div class="rollout-head">
        <h3>
          {rollout.name} {rollout.version}
        </h3>
        <span class="quiet">rollout {rollout.id}</span>
      </div>
      {isBack ? (
        <p class="taken-back" data-testid="taken-back">
          Taken back{rollout.by === "tidegate" ? " by itself" : ` by ${rollout.by}`}
          {rollout.why && `: ${rollout.why}`}
        </p>
      ) : (
        <Way rollout={rollout} />
      )}
      <p data-testid="rollout-states">{statesOf(rollout)}</p>
      <p class="quiet">
        {isBack ? "Since" : `In this stage since`} {instant(rollout.since, MINUTE_US)}; begun by{" "}
        {rollout.created_by}
        {rollout.note && ` (${rollout.note})`}
        {!isBack && rollout.stage !== "done" && `. ${goesOn(rollout)}`}
      </p>
      {!isBack && !asking && mayWrite && (
        <button
          type="button"
          class="small-key"
          data-needs="operator"
          data-testid="roll-back"
          onClick={() => setAsking(true)}
        >
          Roll back …
        </button>
      )}
      {!isBack && asking && <BackForm rollout={rollout} close={() => setAsking(false)} />}
    </li>
  );
}

function Way({ rollout }: { rollout: Rollout }) {
  const at = WAY.indexOf(rollout.stage);
  return (
    <ol class="way" aria-label="Stages">
      {WAY.map((stage, place) => (
        <li
          key={stage}
          class={place < at ? "past" : place === at ? "now" : "ahead"}
          aria-current={place === at ? "step" : undefined}
        >
          {stageName(stage, rollout.share)}
        </li>
      ))}
    </ol>
  );
}

function stageName(stage: Stage, share: number): string {
  if (stage === "shadow") return "Shadow";
  if (stage === "canary") return `Canary, ${Math.round(share * 100)} %`;
  return stage === "all" ? "All" : "Done";
}

/** What the gateways that should have it say of it. */
export function statesOf(rollout: Rollout): string {
  const told = STATES.filter(([state]) => rollout[state] > 0);
  const said = told.map(([state, words]) => `${rollout[state]} ${words}`).join(", ");
  if (rollout.stage === "back") return said ? `Gateways say: ${said}.` : "No gateway had it.";
  const wanted = `For ${plural(rollout.gateways, "gateway")}`;
  return said ? `${wanted}: ${said}.` : `${wanted}; none has said anything of it yet.`;
}

function goesOn(rollout: Rollout): string {
  const hours = Math.round((10 * rollout.hold_s) / HOUR_S) / 10;
  if (rollout.auto) return `Goes on by itself after ${hours} h without trouble.`;
  return rollout.stage === "all"
    ? `Done after ${hours} h without trouble.`
    : "Goes on by command alone.";
}

function BackForm({ rollout, close }: { rollout: Rollout; close(): void }) {
  const [note, setNote] = useState("");
  const author = useAuthor();
  const sending = useSending();
  const nameless = author.name === "";
  const back = () =>
    sending.run(async () => {
      const body = { author: author.name, note };
      await sendJson("POST", `rollouts/${rollout.id}/rollback`, {}, body);
      author.keep();
      close();
    });
  return (
    <form
      class="form back-form"
      data-needs="operator"
      data-testid="back-form"
      aria-label={`Roll ${rollout.name} ${rollout.version} back`}
      onSubmit={(event) => {
        event.preventDefault();
        if (!nameless) back();
      }}
    >
      <p>
        Its gateways go back to the good model before it, within seconds once they are connected.
      </p>
      {sending.error && <Failure error={sending.error} />}
      <label>
        Why
        <textarea
          rows={2}
          maxLength={NOTE_CHARS_MAX}
          value={note}
          data-testid="back-note"
          onInput={(event) => setNote(event.currentTarget.value)}
        />
      </label>
      <AuthorField author={author} label="Your name" testid="back-author" />
      <div class="form-end">
        <button
          type="submit"
          class="main"
          disabled={sending.busy || nameless}
          data-testid="back-now"
        >
          Roll back
        </button>
        <button type="button" class="small-key" onClick={close}>
          Leave it
        </button>
      </div>
    </form>
  );
}
