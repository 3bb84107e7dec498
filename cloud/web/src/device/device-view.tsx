import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Fleet, Gateway, Series } from "../api/types.ts";
import { NO_CHOICE } from "../choice.ts";
import { judge } from "../fleet/health.ts";
import { byName } from "../format/natural.ts";
import { plural } from "../format/number.ts";
import { choose } from "../navigation.ts";
import { Failure } from "../parts/failure.tsx";
import { Lamp } from "../parts/lamp.tsx";
import { Name } from "../parts/name.tsx";
import { Pager, pageOf } from "../parts/pager.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { formatHash, type Route } from "../route.ts";
import { GapTable } from "./gap-table.tsx";
import { GatewayPlates } from "./gateway-plates.tsx";
import { MetricTable } from "./metric-table.tsx";
import { SPARKS_MAX } from "./use-sparks.ts";

type DeviceRoute = Extract<Route, { view: "device" }>;

const EVERY_MS = 5_000;
/** As many as a device may have before its list is a thing for the series view. */
const SERIES_MAX = 10_000;
const SEARCHED_FROM = 12;

/** One device: each metric with its latest value and its last day, and how its gateway does. */
export default function DeviceView({ route }: { route: DeviceRoute }) {
  const { gateway: name, device } = route;
  const polled = usePolled(`device ${name}/${device}`, EVERY_MS, async (signal) => {
    const [found, fleet] = await Promise.all([
      getJson<{ series: Series[] }>("series", { gateway: name, device, limit: SERIES_MAX }, signal),
      getJson<Fleet>("gateways", { gateway: name }, signal),
    ]);
    serverClock.learn(fleet.now);
    return { series: found.series, gateway: fleet.gateways[0], now: fleet.now };
  });
  if (!polled.value) {
    return polled.error ? <Failure error={polled.error} /> : <p class="quiet">Loading…</p>;
  }
  const { series, gateway, now } = polled.value;
  if (series.length === 0) {
    return (
      <p class="notice" data-testid="not-found">
        No device named {device} has been heard through gateway {name}.
      </p>
    );
  }
  const anomalies = series.reduce((sum, one) => sum + one.anomalies, 0);
  return (
    <>
      {polled.error && <Failure error={polled.error} kept />}
      <header class="view-head">
        <h1>
          <Name text={device} />
        </h1>
        <p class="quiet">
          {plural(series.length, "metric")}, {plural(anomalies, "anomaly", "anomalies")}
        </p>
      </header>
      <Metrics route={route} series={series} nowUs={now} />
      {gateway && <ItsGateway gateway={gateway} nowUs={now} />}
      <GapTable gateway={name} />
    </>
  );
}

interface MetricsProps {
  route: DeviceRoute;
  series: readonly Series[];
  nowUs: number;
}

function Metrics({ route, series, nowUs }: MetricsProps) {
  const choice = route.choice ?? NO_CHOICE;
  const part = (choice.q ?? "").toLowerCase();
  const found = series
    .filter((one) => one.metric.toLowerCase().includes(part))
    .toSorted((a, b) => byName(a.metric, b.metric));
  const page = pageOf(choice.page, found.length, SPARKS_MAX);
  const shown = found.slice((page - 1) * SPARKS_MAX, page * SPARKS_MAX);
  return (
    <>
      {(series.length >= SEARCHED_FROM || part) && (
        <search class="tools">
          <SearchBox
            label="Find a metric"
            value={choice.q ?? ""}
            onSearch={(q) => choose(route, { q, page: undefined }, "replace")}
            main
            testid="metric-search"
          />
        </search>
      )}
      {shown.length === 0 ? (
        <p class="notice">No metric is called so.</p>
      ) : (
        <MetricTable caption={`Metrics of ${route.device}`} series={shown} nowUs={nowUs} />
      )}
      <Pager
        what="metrics"
        total={found.length}
        page={page}
        rows={SPARKS_MAX}
        onPage={(to) => choose(route, { page: to === 1 ? undefined : String(to) })}
      />
    </>
  );
}

/** A device is as well as the gateway that hears it. */
function ItsGateway({ gateway, nowUs }: { gateway: Gateway; nowUs: number }) {
  const verdict = judge(gateway, nowUs);
  return (
    <section class="part" aria-labelledby="gateway-head" data-testid="its-gateway">
      <header class="part-head">
        <h2 id="gateway-head">
          Through gateway{" "}
          <a href={formatHash({ view: "gateway", gateway: gateway.name })}>{gateway.name}</a>
        </h2>
        <Lamp health={verdict.health} />
        <span class="quiet">{verdict.reasons.join("; ")}</span>
      </header>
      <GatewayPlates gateway={gateway} nowUs={nowUs} />
    </section>
  );
}
