import { useState } from "preact/hooks";
import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Episode, Status } from "../api/types.ts";
import type { Key } from "../chart/use-keys.ts";
import { useKeys } from "../chart/use-keys.ts";
import { count, measure, rough } from "../format/number.ts";
import { moment, span } from "../format/time.ts";
import { shownZone } from "../format/zone.ts";
import { go } from "../navigation.ts";
import { Failure } from "../parts/failure.tsx";
import { KeysHelp } from "../parts/keys-help.tsx";
import { formatHash } from "../route.ts";
import type { Theme } from "../theme.ts";
import { around, EpisodeChart } from "./episode-chart.tsx";
import { EpisodeList } from "./episode-list.tsx";
import type { ReviewChoice } from "./review-address.ts";
import { ReviewFilter } from "./review-filter.tsx";
import { type Episodes, useEpisodes } from "./use-episodes.ts";
import { VerdictForm } from "./verdict-form.tsx";

const STATUS_MS = 60_000;

/** All episodes, one after the other: what was it, and what is to be said of it. */
export function ReviewView({ choice, theme }: { choice: ReviewChoice; theme: Theme }) {
  usePolled("review status", STATUS_MS, async (signal) => {
    const status = await getJson<Status>("status", {}, signal);
    serverClock.learn(status.now);
    shownZone.learn(status.zone);
    return status;
  });
  shownZone.choose(choice.zone);
  const episodes = useEpisodes(choice);
  const [help, setHelp] = useState(false);
  const rows = episodes.rows ?? [];
  const at = rows.findIndex((one) => one.id === choice.episode);
  const selected = rows[at];
  const change = (part: Partial<ReviewChoice>, how: "push" | "replace" = "replace") =>
    go({ view: "review", review: { ...choice, ...part } }, how);
  const step = (by: number) => {
    const next = rows[Math.min(Math.max(at < 0 ? 0 : at + by, 0), rows.length - 1)];
    if (next) change({ episode: next.id });
    if (at + by >= rows.length - 1 && episodes.more) episodes.load();
  };
  const keys: Key[] = [
    { keys: ["n"], shown: "n", says: "the next episode", act: () => step(1) },
    { keys: ["p"], shown: "p", says: "the previous episode", act: () => step(-1) },
    {
      keys: ["Escape"],
      shown: "Esc",
      says: "back to the list",
      act: () => change({ episode: undefined }),
    },
    { keys: ["?"], shown: "?", says: "these keys", act: () => setHelp(true) },
  ];
  useKeys(keys);
  return (
    <article class="review">
      <header class="view-head">
        <h1>Review of episodes</h1>
        <p class="quiet" data-testid="review-count">
          {count(rows.length)}
          {episodes.more && "+"} listed
        </p>
        <button type="button" class="small-key keyboard" onClick={() => setHelp(true)}>
          Keys <kbd>?</kbd>
        </button>
      </header>
      {episodes.error && <Failure error={episodes.error} kept={episodes.rows !== undefined} />}
      <ReviewFilter choice={choice} rows={rows} onChange={change} />
      <div class="review-body">
        <Listed episodes={episodes} choice={choice} onSelect={(id) => change({ episode: id })} />
        {selected ? (
          <Reviewed
            key={selected.id}
            episode={selected}
            theme={theme}
            place={`${at + 1} of ${count(rows.length)}${episodes.more ? "+" : ""}`}
            onStep={step}
            onSaid={(said) => episodes.say(selected.id, said)}
          />
        ) : (
          (choice.episode || rows.length > 0) && (
            <p class="notice">
              {choice.episode && episodes.rows
                ? "The episode of this address is not among those listed: choose other filters."
                : "Choose an episode, or press n for the first."}
            </p>
          )
        )}
      </div>
      <KeysHelp keys={keys} open={help} onClose={() => setHelp(false)} />
    </article>
  );
}

interface ListedProps {
  episodes: Episodes;
  choice: ReviewChoice;
  onSelect(id: string): void;
}

function Listed({ episodes, choice, onSelect }: ListedProps) {
  return (
    <section class="anomalies" aria-label="Episodes">
      <h2>Episodes</h2>
      {episodes.rows === undefined && !episodes.error && <p class="quiet">Loading…</p>}
      {episodes.rows?.length === 0 && (
        <p class="quiet">
          {isPlain(choice) ? "Nothing is left to review." : "No episode is like this."} Episodes
          come from models that tell them; single readings that were scored stand beside the chart
          of their series.
        </p>
      )}
      <EpisodeList
        episodes={episodes.rows ?? []}
        selected={choice.episode}
        named
        onSelect={onSelect}
      />
      {episodes.more && (
        <button type="button" class="small-key" data-testid="more-episodes" onClick={episodes.load}>
          More
        </button>
      )}
    </section>
  );
}

/** Whether whatever was not reviewed yet is listed. */
function isPlain(choice: ReviewChoice): boolean {
  const { state, gateway, device, metric, model, score } = choice;
  return state === "open" && !(gateway || device || metric || model || score);
}

interface ReviewedProps {
  episode: Episode;
  theme: Theme;
  place: string;
  onStep(by: number): void;
  onSaid(said: Partial<Episode>): void;
}

function Reviewed({ episode, theme, place, onStep, onSaid }: ReviewedProps) {
  const [version, setVersion] = useState(0);
  const { gateway, device, series } = episode;
  const window = around(episode);
  const range = { kind: "fixed", fromUs: window.fromUs, toUs: window.toUs } as const;
  return (
    <section class="reviewed" aria-label="The episode" data-testid="reviewed">
      <header class="reviewed-head">
        <h2>
          <a href={formatHash({ view: "series", gateway, device, series, range })}>
            {device} · {episode.metric}
          </a>
        </h2>
        <fieldset class="keys" aria-label="Go through the list">
          <button type="button" data-testid="previous" onClick={() => onStep(-1)}>
            Previous
          </button>
          <button type="button" data-testid="next" onClick={() => onStep(1)}>
            Next
          </button>
        </fieldset>
      </header>
      <p>
        {moment(episode.from)}
        {episode.to > episode.from && `, for ${span(episode.to - episode.from)}`}
        {episode.open ? ", and goes on" : ""}; score{" "}
        <strong class="hot">{measure(episode.peak)}</strong> over {rough(episode.threshold)} by{" "}
        <span class="code">{episode.model}</span>. <span class="quiet">{place}</span>
      </p>
      <EpisodeChart episode={episode} theme={theme} version={version} />
      <VerdictForm
        key={episode.verdict ?? "open"}
        episode={episode}
        onGiven={(said) => {
          onSaid(said);
          setVersion((n) => n + 1);
        }}
      />
    </section>
  );
}
