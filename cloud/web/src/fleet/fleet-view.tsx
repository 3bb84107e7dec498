import { useState } from "preact/hooks";
import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Fleet, Status } from "../api/types.ts";
import { NO_CHOICE } from "../choice.ts";
import { choose } from "../navigation.ts";
import { Failure } from "../parts/failure.tsx";
import { Pager, pageOf } from "../parts/pager.tsx";
import { sorted } from "../parts/sorting.ts";
import type { Route } from "../route.ts";
import { EnrolFirst } from "./enrol-first.tsx";
import { COLUMNS, judged, picked } from "./fleet-list.ts";
import { FleetTable } from "./fleet-table.tsx";
import { FleetTools, fleetOrder } from "./fleet-tools.tsx";
import { FleetTotals } from "./fleet-totals.tsx";

type FleetRoute = Extract<Route, { view: "fleet" }>;

const EVERY_MS = 5_000;
/** Gateways tell of themselves every 15 s: a large fleet, half a megabyte, is asked for as often. */
const EVERY_MS_LARGE = 15_000;
const LARGE = 200;
const PAGE_ROWS = 100;

/** All gateways, those that need a hand first. */
export function FleetView({ route }: { route: FleetRoute }) {
  const [everyMs, setEveryMs] = useState(EVERY_MS);
  const fleet = usePolled("fleet", everyMs, async (signal) => {
    const [gateways, status] = await Promise.all([
      getJson<Fleet>("gateways", {}, signal),
      getJson<Status>("status", {}, signal),
    ]);
    serverClock.learn(gateways.now);
    setEveryMs(gateways.gateways.length > LARGE ? EVERY_MS_LARGE : EVERY_MS);
    return { gateways: gateways.gateways, status, now: gateways.now };
  });
  if (!fleet.value) {
    return fleet.error ? <Failure error={fleet.error} /> : <p class="quiet">Loading…</p>;
  }
  const { gateways, status, now } = fleet.value;
  const rows = judged(gateways, now);
  return (
    <>
      <h1 class="sr">Fleet</h1>
      {fleet.error && <Failure error={fleet.error} kept />}
      {rows.length === 0 ? (
        <EnrolFirst version={status.version} />
      ) : (
        <>
          <FleetTotals rows={rows} status={status} />
          <FleetList route={route} rows={rows} nowUs={now} />
        </>
      )}
    </>
  );
}

function FleetList({
  route,
  rows,
  nowUs,
}: {
  route: FleetRoute;
  rows: ReturnType<typeof judged>;
  nowUs: number;
}) {
  const choice = route.choice ?? NO_CHOICE;
  const order = fleetOrder(route);
  const found = sorted(picked(rows, choice), COLUMNS, order);
  const page = pageOf(choice.page, found.length, PAGE_ROWS);
  const shown = found.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS);
  return (
    <>
      <FleetTools route={route} rows={rows} order={order} />
      <p class="sr" aria-live="polite" data-testid="fleet-found">
        {found.length} of {rows.length} gateways
      </p>
      {found.length === 0 ? (
        <p class="notice" data-testid="none-found">
          None of {rows.length} gateways is as asked.{" "}
          <button
            type="button"
            class="plain"
            onClick={() => choose(route, { q: undefined, show: undefined, page: undefined })}
          >
            Show all
          </button>
        </p>
      ) : (
        <FleetTable route={route} rows={shown} order={order} nowUs={nowUs} />
      )}
      <Pager
        what="gateways"
        total={found.length}
        page={page}
        rows={PAGE_ROWS}
        onPage={(to) => choose(route, { page: to === 1 ? undefined : String(to) })}
      />
    </>
  );
}
