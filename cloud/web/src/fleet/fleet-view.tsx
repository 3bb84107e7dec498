import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Fleet, Status } from "../api/types.ts";
import { Failure } from "../parts/failure.tsx";
import { formatHash } from "../route.ts";
import { EnrolFirst } from "./enrol-first.tsx";
import { FleetTotals } from "./fleet-totals.tsx";
import { GatewayRow } from "./gateway-row.tsx";
import { urgentFirst } from "./health.ts";

const EVERY_MS = 5_000;

/** All gateways, those that need a hand first. */
export function FleetView() {
  const fleet = usePolled("fleet", EVERY_MS, async (signal) => {
    const [gateways, status] = await Promise.all([
      getJson<Fleet>("gateways", {}, signal),
      getJson<Status>("status", {}, signal),
    ]);
    serverClock.learn(gateways.now);
    return { gateways: gateways.gateways, status, now: gateways.now };
  });
  if (!fleet.value) {
    return fleet.error ? <Failure error={fleet.error} /> : <p class="quiet">Loading…</p>;
  }
  const { gateways, status, now } = fleet.value;
  const rows = urgentFirst(gateways, now);
  return (
    <>
      <h1 class="sr">Fleet</h1>
      {fleet.error && <Failure error={fleet.error} kept />}
      {rows.length === 0 ? (
        <EnrolFirst version={status.version} />
      ) : (
        <>
          <FleetTotals rows={rows} status={status} />
          <div class="table-frame">
            <table class="fleet" data-testid="fleet">
              <thead>
                <tr>
                  <th scope="col">Gateway</th>
                  <th scope="col">Health</th>
                  <th scope="col">Last seen</th>
                  <th scope="col">Delivery</th>
                  <th scope="col" class="num">
                    Readings
                  </th>
                  <th scope="col" class="num">
                    Anomalies
                  </th>
                  <th scope="col">Clock</th>
                  <th scope="col">Certificate</th>
                </tr>
              </thead>
              <tbody>
                {rows.map(([gateway, verdict]) => (
                  <GatewayRow key={gateway.name} gateway={gateway} verdict={verdict} nowUs={now} />
                ))}
              </tbody>
            </table>
          </div>
          <p class="quiet onward">
            <a href={formatHash({ view: "ledger", gateway: undefined })}>Ledger</a>: what became of
            every block, and why.
          </p>
        </>
      )}
    </>
  );
}
