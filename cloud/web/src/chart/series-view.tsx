import { useState } from "preact/hooks";
import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Series, Status } from "../api/types.ts";
import { measure, plural } from "../format/number.ts";
import { ago, HOUR_US } from "../format/time.ts";
import { Failure } from "../parts/failure.tsx";
import { Name } from "../parts/name.tsx";
import type { Route } from "../route.ts";
import type { Theme } from "../theme.ts";
import { AnomalyList } from "./anomaly-list.tsx";
import { ChartFoot } from "./chart-foot.tsx";
import { ChartPanel } from "./chart-panel.tsx";
import { RangeBar } from "./range-bar.tsx";
import { ReadingTable } from "./reading-table.tsx";
import { Readout } from "./readout.tsx";
import { type Heard, useHistory } from "./use-history.ts";
import { useWindow } from "./use-window.ts";
import { fixed } from "./window.ts";

type SeriesRoute = Extract<Route, { view: "series" }>;

const FACTS_MS = 10_000;
/** The API finds a series by its device, not by its id: enough to hold the largest device. */
const SERIES_MAX = 10_000;

/** One metric of one device through time. */
export function SeriesView({ route, theme }: { route: SeriesRoute; theme: Theme }) {
  const { gateway, device, series } = route;
  const polled = usePolled(`series ${gateway}/${device}`, FACTS_MS, async (signal) => {
    const [found, status] = await Promise.all([
      getJson<{ series: Series[] }>("series", { gateway, device, limit: SERIES_MAX }, signal),
      getJson<Status>("status", {}, signal),
    ]);
    serverClock.learn(status.now);
    return found;
  });
  const facts = polled.value?.series.find((one) => one.id === series);
  if (facts) return <SeriesChart route={route} theme={theme} facts={facts} />;
  if (polled.error) return <Failure error={polled.error} />;
  if (!polled.value) return <p class="quiet">Loading…</p>;
  return (
    <p class="notice" data-testid="not-found">
      Device {device} of gateway {gateway} has no series {series}. It may have been erased, or the
      address was shortened.
    </p>
  );
}

function SeriesChart({ route, theme, facts }: { route: SeriesRoute; theme: Theme; facts: Series }) {
  const [widthPx, setWidthPx] = useState(0);
  const [index, setIndex] = useState<number | null>(null);
  const [highlight, setHighlight] = useState<number | undefined>();
  const [newest, setNewest] = useState<Heard | undefined>();
  const lastUs = newest ? Math.max(newest.ts, facts.last_ts ?? newest.ts) : facts.last_ts;
  const extent = { firstUs: facts.first_ts ?? newest?.ts ?? null, lastUs };
  const control = useWindow(route, extent, widthPx);
  const history = useHistory({
    series: route.series,
    range: route.range,
    window: control.window,
    held: control.held,
    widthPx,
    words: facts.last_text !== null,
    heard: (one) => setNewest((known) => (known && known.ts > one.ts ? known : one)),
  });
  const { fromUs, toUs } = control.window;
  const anomalies = (history.answer?.anomalies ?? []).filter(
    (one) => one.ts >= fromUs && one.ts <= toUs,
  );
  const closer = (ts: number) => {
    const around = Math.min((toUs - fromUs) / 6, 12 * HOUR_US);
    control.ask(fixed(ts - around, ts + around), true);
  };
  return (
    <article class="series">
      <SeriesHead facts={facts} newest={newest} />
      {history.error && <Failure error={history.error} kept={history.answer !== undefined} />}
      <div class="series-body">
        <section class="panel" aria-label="Chart">
          <RangeBar range={route.range} control={control} />
          <Readout data={history.data} window={control.window} index={index} />
          <ChartPanel
            series={route.series}
            title={facts.metric}
            control={control}
            history={history}
            anomalies={anomalies}
            theme={theme}
            highlight={highlight}
            onHighlight={setHighlight}
            onPointed={setIndex}
            onWidth={setWidthPx}
          />
          <ChartFoot history={history} window={control.window} lastUs={lastUs} />
        </section>
        <AnomalyList
          anomalies={anomalies}
          cut={history.answer?.anomaliesCut ?? false}
          highlight={highlight}
          onHighlight={setHighlight}
          onChoose={closer}
        />
      </div>
      <ReadingTable
        data={history.data}
        window={control.window}
        unit={facts.unit}
        atOnce={facts.last_text !== null}
      />
    </article>
  );
}

interface HeadProps {
  facts: Series;
  newest: Heard | undefined;
}

function SeriesHead({ facts, newest }: HeadProps) {
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
