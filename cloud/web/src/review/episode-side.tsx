import type { Episode } from "../api/types.ts";
import { count } from "../format/number.ts";
import { EpisodeList } from "./episode-list.tsx";
import { VerdictForm } from "./verdict-form.tsx";

interface Props {
  episodes: readonly Episode[];
  selected: Episode | undefined;
  named: boolean;
  onSelect(id: string | undefined): void;
  onGiven(): void;
}

/** The window's episodes beside the chart; the selected one can be confirmed or dismissed. */
export default function EpisodeSide({ episodes, selected, named, onSelect, onGiven }: Props) {
  return (
    <section class="anomalies" aria-label="Episodes in this window">
      <h2>
        Episodes <span class="figure">{count(episodes.length)}</span>
      </h2>
      {episodes.length === 0 && <p class="quiet">None in this window.</p>}
      <EpisodeList
        episodes={episodes}
        selected={selected?.id}
        named={named}
        onSelect={(id) => onSelect(id === selected?.id ? undefined : id)}
      />
      {selected && <VerdictForm key={selected.id} episode={selected} onGiven={onGiven} />}
    </section>
  );
}
