import type { Series } from "../api/types.ts";
import { formatHash } from "../route.ts";
import { SERIES_MAX } from "./chart-address.ts";
import { SeriesPicker } from "./series-picker.tsx";
import type { ChoiceControl } from "./use-choice.ts";

interface Props {
  series: readonly Series[];
  control: ChoiceControl;
}

/** The series of the chart with their colours, and the way to add and remove some. */
export function Legend({ series, control }: Props) {
  const { others } = control.chart;
  const ids = series.map((one) => one.id);
  return (
    <div class="legend" data-testid="legend">
      {series.length > 1 &&
        series.map((one, at) => (
          <span class="legend-item" key={one.id} data-testid="legend-item" data-series={one.id}>
            <i class={`swatch trace-${at + 1}`} aria-hidden="true" />
            {at === 0 ? (
              <span>{nameOf(one)}</span>
            ) : (
              <a
                href={formatHash({
                  view: "series",
                  gateway: one.gateway,
                  device: one.device,
                  series: one.id,
                  range: { kind: "last", spanUs: 86_400_000_000 },
                })}
              >
                {nameOf(one)}
              </a>
            )}
            {one.unit && <span class="quiet">{one.unit}</span>}
            {at > 0 && (
              <button
                type="button"
                class="legend-remove"
                aria-label={`Remove ${nameOf(one)}`}
                onClick={() => control.change({ others: others.filter((id) => id !== one.id) })}
              >
                ×
              </button>
            )}
          </span>
        ))}
      {series.length < SERIES_MAX && (
        <SeriesPicker
          without={ids}
          onPick={(id) => control.change({ others: [...others, id] }, true)}
        />
      )}
    </div>
  );
}

function nameOf(one: Series): string {
  return `${one.device} · ${one.metric}`;
}
