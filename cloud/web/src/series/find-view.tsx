import { NO_CHOICE } from "../choice.ts";
import { count } from "../format/number.ts";
import { Failure } from "../parts/failure.tsx";
import type { Route } from "../route.ts";
import "../styles/find.css";
import { findParams } from "./find-query.ts";
import { FindTools } from "./find-tools.tsx";
import { SeriesRows } from "./series-rows.tsx";
import { useFound } from "./use-found.ts";

type FindRoute = Extract<Route, { view: "find" }>;

/** All series of all gateways, searched by the server and drawn as far as they are on the screen. */
export default function FindView({ route }: { route: FindRoute }) {
  const choice = route.choice ?? NO_CHOICE;
  const params = findParams(choice);
  const found = useFound(params);
  const { total } = found;
  return (
    <>
      <header class="view-head">
        <h1>Series</h1>
        <p class="quiet" aria-live="polite" data-testid="found" data-total={total}>
          {total === undefined ? "Searching…" : `${count(total)} found`}
        </p>
      </header>
      <FindTools route={route} />
      {found.error && <Failure error={found.error} kept={found.series.length > 0} />}
      {total === 0 && !found.error && (
        <p class="notice" data-testid="none-found">
          No series is as asked. A search finds a part of gateway, device, metric or label; a
          pattern must fit the whole of gateway/device/metric.
        </p>
      )}
      {found.series.length > 0 && (
        <SeriesRows key={JSON.stringify(params)} found={found} busy={found.busy} />
      )}
    </>
  );
}
