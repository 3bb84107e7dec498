import { Switch } from "../parts/switch.tsx";
import { ZoneSwitch } from "../parts/zone-switch.tsx";
import { useMayWrite } from "../session/may-write.tsx";
import type { ChoiceControl } from "./use-choice.ts";

/** What dragging over the chart does. */
export type Brush = "zoom" | "mark";

interface Props {
  control: ChoiceControl;
  /** Series in the chart. */
  series: number;
  brush: Brush;
  onBrush(brush: Brush): void;
}

/** How the chart shows what it shows, and what a drag over it does. */
export function ChartTools({ control, series, brush, onBrush }: Props) {
  const { chart, change } = control;
  return (
    <div class="chart-tools">
      {series > 1 && (
        <Switch
          label="Layout"
          id="layout"
          options={[
            ["compare", "Compare"],
            ["stack", "Stack"],
          ]}
          chosen={chart.layout}
          onChoose={(layout) => change({ layout })}
        />
      )}
      <Switch
        label="Detail"
        id="detail"
        options={[
          ["auto", "Buckets"],
          ["raw", "Every reading"],
        ]}
        chosen={chart.every ? "raw" : "auto"}
        onChoose={(detail) => change({ every: detail === "raw" })}
      />
      <Switch
        label="Bad data"
        id="bad"
        options={[
          ["include", "With bad data"],
          ["exclude", "Without"],
        ]}
        chosen={chart.withoutBad ? "exclude" : "include"}
        onChoose={(bad) => change({ withoutBad: bad === "exclude" })}
      />
      <ZoneSwitch zone={chart.zone} onChoose={(zone) => change({ zone })} />
      {useMayWrite() && (
        <Switch
          label="Dragging over the chart"
          id="brush"
          options={[
            ["zoom", "Drag zooms"],
            ["mark", "Drag marks"],
          ]}
          chosen={brush}
          onChoose={onBrush}
        />
      )}
    </div>
  );
}
