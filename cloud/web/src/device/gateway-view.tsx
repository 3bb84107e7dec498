import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Device, Fleet, Gateway } from "../api/types.ts";
import { certificateLeft } from "../fleet/certificate.ts";
import { judge } from "../fleet/health.ts";
import { byName } from "../format/natural.ts";
import { bytes, count, plural, shortCount } from "../format/number.ts";
import { ago, instant } from "../format/time.ts";
import { Failure } from "../parts/failure.tsx";
import { Figure } from "../parts/figure.tsx";
import { Lamp } from "../parts/lamp.tsx";
import { Name } from "../parts/name.tsx";
import { formatHash } from "../route.ts";

const EVERY_MS = 5_000;

/** One gateway: its state, and the devices heard through it. */
export function GatewayView({ gateway: name }: { gateway: string }) {
  const polled = usePolled(`gateway ${name}`, EVERY_MS, async (signal) => {
    const [fleet, found] = await Promise.all([
      getJson<Fleet>("gateways", {}, signal),
      getJson<{ devices: Device[] }>("devices", { gateway: name }, signal),
    ]);
    serverClock.learn(fleet.now);
    const gateway = fleet.gateways.find((one) => one.name === name);
    return { gateway, devices: found.devices, now: fleet.now };
  });
  if (!polled.value) {
    return polled.error ? <Failure error={polled.error} /> : <p class="quiet">Loading…</p>;
  }
  const { gateway, devices, now } = polled.value;
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
        <DeviceTable devices={devices} nowUs={now} />
      )}
      <p class="quiet onward">
        <a href={formatHash({ view: "ledger", gateway: name })}>Ledger</a>: what became of every
        block of {name}, and why.
      </p>
    </>
  );
}

function GatewayHead({ gateway, nowUs }: { gateway: Gateway; nowUs: number }) {
  const verdict = judge(gateway, nowUs);
  const behind = Math.max(gateway.stored - gateway.archived, 0);
  return (
    <>
      <header class="view-head">
        <h1>
          <Name text={gateway.name} />
        </h1>
        <Lamp health={verdict.health} />
        <p class="quiet">
          {[...verdict.reasons, gateway.agent_version && `agent ${gateway.agent_version}`]
            .filter(Boolean)
            .join("; ")}
        </p>
      </header>
      <div class="plates">
        <Figure
          name="Last seen"
          value={gateway.last_seen === null ? "never" : ago(gateway.last_seen, nowUs)}
          note={
            gateway.first_seen === null
              ? ""
              : `since ${instant(gateway.first_seen, 86_400_000_000)}`
          }
        />
        <Figure
          name="Waiting there"
          value={gateway.backlog_rows === null ? "–" : shortCount(gateway.backlog_rows)}
          note={gateway.backlog_bytes === null ? "" : bytes(gateway.backlog_bytes)}
        />
        <Figure
          name="Blocks stored"
          value={count(gateway.stored)}
          note={behind ? `${count(behind)} not yet archived` : "all archived"}
        />
        <Figure
          name="Readings"
          value={shortCount(gateway.readings)}
          note={plural(gateway.anomalies, "anomaly", "anomalies")}
        />
        <Figure
          name="Clock"
          value={gateway.clock ?? "–"}
          note={`epoch ${gateway.epoch}, session ${gateway.session}`}
        />
        <Figure
          name="Certificate"
          value={certificateLeft(gateway.certificate_not_after, nowUs)}
          note={gateway.key_tier ? `buffer key: ${gateway.key_tier}` : ""}
        />
      </div>
    </>
  );
}

function DeviceTable({ devices, nowUs }: { devices: Device[]; nowUs: number }) {
  const sorted = devices.toSorted((a, b) => byName(a.device, b.device));
  return (
    <div class="table-frame">
      <table data-testid="devices">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Last reading</th>
            <th scope="col" class="num">
              Metrics
            </th>
            <th scope="col" class="num">
              Readings
            </th>
            <th scope="col" class="num">
              Anomalies
            </th>
          </tr>
        </thead>
        <tbody>
          {sorted.map(({ gateway, device, ...facts }) => (
            <tr key={device} data-testid="device-row" data-device={device}>
              <th scope="row">
                <a class="row-name" href={formatHash({ view: "device", gateway, device })}>
                  {device}
                </a>
              </th>
              <td data-label="Last reading">
                {facts.last_ts === null ? "none" : ago(facts.last_ts, nowUs)}
              </td>
              <td data-label="Metrics" class="num">
                {count(facts.metrics)}
              </td>
              <td data-label="Readings" class="num">
                {shortCount(facts.readings)}
              </td>
              <td data-label="Anomalies" class={facts.anomalies ? "num hot" : "num"}>
                {count(facts.anomalies)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
