import { serverClock } from "../api/server-clock.ts";
import type { Series } from "../api/types.ts";
import { measure, plural } from "../format/number.ts";
import { ago } from "../format/time.ts";
import { Name } from "../parts/name.tsx";
import type { Heard } from "./use-histories.ts";

interface HeadProps {
  facts: Series;
  newest: Heard | undefined;
}

/** What a series is, and what it said last. */
export function SeriesHead({ facts, newest }: HeadProps) {
  const live = newest && newest.ts > (facts.last_ts ?? 0) ? newest : undefined;
  const ts = live?.ts ?? facts.last_ts;
  const value = live ? measure(live.value) : (facts.last_text ?? measure(facts.last_value));
  const labels = Object.entries(facts.labels);
  return (
    <header class="series-head">
      <div>
        <h1>
          <Name text={facts.device} /> · <Name text={facts.metric} />
        </h1>
        <p class="quiet">
          {facts.kind} · {plural(facts.readings, "reading")} ·{" "}
          {plural(facts.anomalies, "anomaly", "anomalies")}
          {labels.map(([name, label]) => (
            <span class="tag" key={name}>
              {name} {label}
            </span>
          ))}
        </p>
      </div>
      <p class="latest" data-testid="latest">
        <span class="latest-value">{value}</span>
        {facts.unit && <span class="latest-unit"> {facts.unit}</span>}
        {ts !== null && <span class="latest-age">{ago(ts, serverClock.nowUs())}</span>}
      </p>
    </header>
  );
}
