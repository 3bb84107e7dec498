import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Device, Fleet, Gateway, Series } from "../api/types.ts";
import { judge } from "../fleet/health.ts";
import { count } from "../format/number.ts";
import { Failure } from "../parts/failure.tsx";
import { Lamp } from "../parts/lamp.tsx";
import { Name } from "../parts/name.tsx";
import { formatHash, type Route } from "../route.ts";
import { DeviceTable } from "./device-table.tsx";
import { GapTable } from "./gap-table.tsx";
import { GatewayPlates } from "./gateway-plates.tsx";
import { MetricTable } from "./metric-table.tsx";

type GatewayRoute = Extract<Route, { view: "gateway" }>;

const EVERY_MS = 5_000;
const SERIES_SHOWN = 12;

/** One gateway: its state, the devices and series heard through it, its gaps. */
export default function GatewayView({ route }: { route: GatewayRoute }) {
  const name = route.gateway;
  const polled = usePolled(`gateway ${name}`, EVERY_MS, async (signal) => {
    const [fleet, found, series] = await Promise.all([
      getJson<Fleet>("gateways", { gateway: name }, signal),
      getJson<{ devices: Device[] }>("devices", { gateway: name }, signal),
      getJson<Found>("series", { gateway: name, limit: SERIES_SHOWN }, signal),
    ]);
    serverClock.learn(fleet.now);
    const gateway = fleet.gateways.find((one) => one.name === name);
    return { gateway, devices: found.devices, found: series, now: fleet.now };
  });
  if (!polled.value) {
    return polled.error ? <Failure error={polled.error} /> : <p class="quiet">Loading…</p>;
  }
  const { gateway, devices, found, now } = polled.value;
  if (!gateway) {
    return (
      <p class="notice" data-testid="not-found">
        No gateway named {name} has been enrolled here.
      </p>
    );
  }
  return (
    <>
      {polled.error && <Failure error={polled.error} kept />}
      <GatewayHead gateway={gateway} nowUs={now} />
      {devices.length === 0 ? (
        <p class="notice">
          No device has been heard through {name} yet. On the gateway,{" "}
          <code>tidegate-edge tap</code> shows what arrives from its broker, and{" "}
          <code>tidegate-edge rejects</code> what could not be read, and why.
        </p>
      ) : (
        <>
          <DeviceTable route={route} devices={devices} nowUs={now} />
          <SomeSeries gateway={name} found={found} nowUs={now} />
        </>
      )}
      <GapTable gateway={name} />
    </>
  );
}

interface Found {
  series: Series[];
  total: number;
}

function GatewayHead({ gateway, nowUs }: { gateway: Gateway; nowUs: number }) {
  const verdict = judge(gateway, nowUs);
  return (
    <>
      <header class="view-head">
        <h1>
          <Name text={gateway.name} />
        </h1>
        <Lamp health={verdict.health} />
        <p class="quiet">{verdict.reasons.join("; ")}</p>
        <p class="view-links">
          <a href={formatHash({ view: "ledger", gateway: gateway.name })}>
            What became of its blocks
          </a>
          <a
            href={formatHash({
              view: "alerts",
              choice: { gateway: gateway.name, which: "all" },
            })}
          >
            Its alerts
          </a>
        </p>
      </header>
      <GatewayPlates gateway={gateway} nowUs={nowUs} />
    </>
  );
}

function SomeSeries({ gateway, found, nowUs }: { gateway: string; found: Found; nowUs: number }) {
  const { series, total } = found;
  if (series.length === 0) return null;
  const href = formatHash({ view: "find", choice: { gateway } });
  return (
    <section class="part" aria-labelledby="series-head">
      <header class="part-head">
        <h2 id="series-head">Series</h2>
        <a href={href}>
          {total > series.length ? `All ${count(total)} series of ${gateway}` : "Search in them"}
        </a>
      </header>
      <MetricTable caption={`Series of ${gateway}`} series={series} nowUs={nowUs} devices />
    </section>
  );
}
