import type { Anomaly, Episode } from "../api/types.ts";
import { HOUR_US } from "../format/time.ts";
import type { Draft } from "../marks/mark-form.tsx";
import { lazily } from "../parts/lazily.tsx";
import { Switch } from "../parts/switch.tsx";
import { AnomalyList } from "./anomaly-list.tsx";
import type { ChartHand } from "./chart-panel.tsx";
import type { ChoiceControl } from "./use-choice.ts";
import type { Notes } from "./use-notes.ts";
import type { WindowControl } from "./use-window.ts";
import { fixed } from "./window.ts";

// Nobody begins with what people said: fetched when it is first asked for.
const EpisodeSide = lazily(() => import("../review/episode-side.tsx"));
const MarkList = lazily(() => import("../marks/mark-list.tsx"));

interface Props {
  choice: ChoiceControl;
  control: WindowControl;
  anomalies: Anomaly[];
  anomaliesCut: boolean;
  notes: Notes;
  selected: Episode | undefined;
  /** Several series: what is listed says of which. */
  named: boolean;
  hand: ChartHand;
  onDraft(draft: Draft): void;
  /** What is said changed. */
  onSaid(): void;
}

/** Beside the chart: what the models found, and what people said of it. */
export function SidePanel(props: Props) {
  const { choice, control, notes, hand } = props;
  const { chart, change } = choice;
  const { fromUs, toUs } = control.window;
  const around = (from: number, to: number, rim: number) =>
    control.ask(fixed(from - rim, to + rim), true);
  return (
    <div class="side">
      <Switch
        label="Beside the chart"
        id="side"
        options={[
          ["anomalies", "Anomalies"],
          ["episodes", `Episodes ${notes.episodes.length}`],
          ["marks", `Marks ${notes.marks.length}`],
        ]}
        chosen={chart.side}
        onChoose={(side) => change({ side })}
      />
      {chart.side === "anomalies" && (
        <AnomalyList
          anomalies={props.anomalies}
          cut={props.anomaliesCut}
          highlight={hand.highlight}
          onHighlight={hand.onHighlight}
          onChoose={(ts) => around(ts, ts, Math.min((toUs - fromUs) / 6, 12 * HOUR_US))}
        />
      )}
      {chart.side === "episodes" && (
        <EpisodeSide
          episodes={notes.episodes}
          selected={props.selected}
          named={props.named}
          onSelect={(episode) => change({ episode })}
          onGiven={props.onSaid}
        />
      )}
      {chart.side === "marks" && (
        <MarkList
          marks={notes.marks}
          onNew={() => props.onDraft({ fromUs: Math.floor(fromUs), toUs: Math.ceil(toUs) })}
          onChoose={(mark) => around(mark.from, mark.to, (mark.to - mark.from) / 2)}
          onWithdrawn={props.onSaid}
        />
      )}
    </div>
  );
}
