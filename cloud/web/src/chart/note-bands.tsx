import type { Episode, Mark } from "../api/types.ts";
import { measure } from "../format/number.ts";
import { moment } from "../format/time.ts";
import type { Draft } from "../marks/mark-form.tsx";
import { MARK_NAMES } from "../marks/mark-names.ts";
import type { PlotFrame } from "./plot.ts";

/** A shorter stretch than this could not be seen or hit. */
const WIDTH_PX_MIN = 6;
/** A narrower band has no room for its name. */
const NAMED_PX_MIN = 70;

interface Props {
  frame: PlotFrame;
  episodes: readonly Episode[];
  marks: readonly Mark[];
  /** An interval that is about to be marked. */
  draft?: Draft | undefined;
  /** Id of the selected episode. */
  selected: string | undefined;
  onSelect(id: string | undefined): void;
}

/** Over a plot: marks as bands from top to bottom, episodes as bars along the foot. */
export function NoteBands({ frame, episodes, marks, draft, selected, onSelect }: Props) {
  return (
    <div
      class="bands"
      style={{
        left: `${frame.left}px`,
        top: `${frame.top}px`,
        width: `${frame.width}px`,
        height: `${frame.height}px`,
      }}
    >
      {marks.flatMap((mark) => {
        const place = placed(frame, mark.from, mark.to);
        if (!place) return [];
        return (
          <div
            key={mark.id}
            class={`band ${mark.kind}`}
            data-testid="mark-band"
            data-kind={mark.kind}
            style={place.style}
          >
            {place.width >= NAMED_PX_MIN && <span class="band-name">{MARK_NAMES[mark.kind]}</span>}
          </div>
        );
      })}
      {draft && (
        <div
          class="band draft"
          data-testid="draft-band"
          style={placed(frame, draft.fromUs, draft.toUs)?.style}
        />
      )}
      {episodes.flatMap((one) => {
        const place = placed(frame, one.from, one.to);
        if (!place) return [];
        const lit = one.id === selected;
        return [
          lit && <div key={`${one.id} lit`} class="episode-ground" style={place.style} />,
          <button
            type="button"
            key={one.id}
            class={`episode-bar ${one.verdict ?? "open"}${lit ? " lit" : ""}`}
            data-testid="episode-bar"
            data-episode={one.id}
            data-verdict={one.verdict ?? "open"}
            aria-pressed={lit}
            title={`score ${measure(one.peak)} over ${measure(one.threshold)}, ${one.model}`}
            aria-label={`Episode of ${one.metric}, ${moment(one.from)}, score ${measure(one.peak)}, ${one.model}, ${one.verdict ?? "not reviewed"}`}
            style={place.style}
            onClick={() => onSelect(lit ? undefined : one.id)}
          />,
        ];
      })}
    </div>
  );
}

/** Where a stretch lies in the plot, cut at its edges; undefined where it lies outside. */
function placed(frame: PlotFrame, fromUs: number, toUs: number) {
  const left = Math.max(frame.xOf(fromUs), 0);
  const right = Math.min(frame.xOf(toUs), frame.width);
  if (left > frame.width || right < 0) return undefined;
  const width = Math.max(right - left, WIDTH_PX_MIN);
  const start = Math.min(left, frame.width - width);
  return { width, style: { left: `${start}px`, width: `${width}px` } };
}
