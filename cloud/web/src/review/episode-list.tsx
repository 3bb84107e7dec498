import type { Episode } from "../api/types.ts";
import { plural, rough } from "../format/number.ts";
import { moment, span } from "../format/time.ts";

/** What a person said of an episode, in words. */
export function verdictName(one: Pick<Episode, "verdict">): string {
  return one.verdict ?? "not reviewed";
}

interface Props {
  episodes: readonly Episode[];
  selected: string | undefined;
  /** Episodes of several series: each says of which. */
  named: boolean;
  onSelect(id: string): void;
}

/** Episodes one below the other, with score, model and what was said of them. */
export function EpisodeList({ episodes, selected, named, onSelect }: Props) {
  return (
    <ol class="anomaly-list" data-testid="episode-list">
      {episodes.map((one) => (
        <li key={`${one.series} ${one.id}`}>
          <button
            type="button"
            class={one.id === selected ? "anomaly lit" : "anomaly"}
            aria-pressed={one.id === selected}
            data-testid="episode-item"
            data-episode={one.id}
            data-verdict={one.verdict ?? "open"}
            onClick={() => onSelect(one.id)}
          >
            <span class="anomaly-time">{moment(one.from)}</span>
            <span class="anomaly-value">{rough(one.peak)}</span>
            {named && (
              <span class="mark-when">
                {one.device} · {one.metric}
              </span>
            )}
            <span class="anomaly-why">
              <span>
                {one.to > one.from && `${span(one.to - one.from)}, `}
                {plural(one.points, "reading")}
              </span>
              <span class={`verdict ${one.verdict ?? "open"}`}>{verdictName(one)}</span>
            </span>
            <span class="anomaly-why">
              <span>score over {rough(one.threshold)}</span>
              <span class="anomaly-model">{one.model}</span>
            </span>
          </button>
        </li>
      ))}
    </ol>
  );
}
