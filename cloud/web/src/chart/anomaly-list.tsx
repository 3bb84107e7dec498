import type { Anomaly } from "../api/types.ts";
import { count, measure, rough } from "../format/number.ts";
import { moment } from "../format/time.ts";

const SHOWN_MAX = 200;

interface Props {
  anomalies: Anomaly[];
  cut: boolean;
  highlight: number | undefined;
  onHighlight(ts: number | undefined): void;
  onChoose(ts: number): void;
}

/** The window's anomalies beside the chart, newest first; choosing one looks closer at it. */
export function AnomalyList({ anomalies, cut, highlight, onHighlight, onChoose }: Props) {
  const newest = [...anomalies].sort((a, b) => b.ts - a.ts);
  const full = anomalies.reduce((most, one) => Math.max(most, one.score), Number.MIN_VALUE);
  return (
    <section class="anomalies" aria-label="Anomalies in this window">
      <h2>
        Anomalies{" "}
        <span class="figure">{cut ? `${count(anomalies.length)}+` : count(anomalies.length)}</span>
      </h2>
      {newest.length === 0 && <p class="quiet">None in this window.</p>}
      <ol class="anomaly-list" data-testid="anomaly-list">
        {newest.slice(0, SHOWN_MAX).map((one) => (
          <li key={`${one.ts} ${one.model}`}>
            <button
              type="button"
              class={one.ts === highlight ? "anomaly lit" : "anomaly"}
              data-testid="anomaly-item"
              data-ts={one.ts}
              title="Look closer"
              onMouseEnter={() => onHighlight(one.ts)}
              onMouseLeave={() => onHighlight(undefined)}
              onFocus={() => onHighlight(one.ts)}
              onBlur={() => onHighlight(undefined)}
              onClick={() => onChoose(one.ts)}
            >
              <span class="anomaly-time">{moment(one.ts)}</span>
              <span class="anomaly-value">{measure(one.value)}</span>
              <Excess score={one.score} threshold={one.threshold} full={full} />
              <span class="anomaly-why">
                <span>
                  score {rough(one.score)} over {rough(one.threshold)}
                </span>
                <span class="anomaly-model">{one.model}</span>
              </span>
            </button>
          </li>
        ))}
      </ol>
      {newest.length > SHOWN_MAX && (
        <p class="quiet">The newest {SHOWN_MAX} are listed; zoom in for the others.</p>
      )}
    </section>
  );
}

/** A score on the list's common scale: quiet up to the threshold, hot beyond it. */
function Excess({ score, threshold, full }: { score: number; threshold: number; full: number }) {
  const mark = (100 * Math.min(threshold, score)) / full;
  return (
    <svg class="excess" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect class="excess-rest" width="100" height="4" />
      <rect class="excess-below" width={mark} height="4" />
      <rect class="excess-above" x={mark} width={(100 * score) / full - mark} height="4" />
    </svg>
  );
}
