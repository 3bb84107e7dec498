import { choose } from "../navigation.ts";
import { SortHead } from "../parts/sort-head.tsx";
import type { Order } from "../parts/sorting.ts";
import type { Route } from "../route.ts";
import type { Row } from "./fleet-list.ts";
import { GatewayRow } from "./gateway-row.tsx";

type FleetRoute = Extract<Route, { view: "fleet" }>;

interface Props {
  route: FleetRoute;
  rows: readonly Row[];
  order: Order;
  nowUs: number;
}

const HEADS: readonly (readonly [by: string, name: string, num?: boolean])[] = [
  ["name", "Gateway"],
  ["trouble", "Health"],
  ["seen", "Last seen"],
  ["backlog", "Delivery"],
  ["readings", "Readings", true],
  ["anomalies", "Anomalies", true],
  ["clock", "Clock"],
  ["key", "Key"],
  ["certificate", "Certificate"],
];

/** One page of the fleet. */
export function FleetTable({ route, rows, order, nowUs }: Props) {
  const sort = (by: string) => choose(route, { sort: by, page: undefined });
  return (
    <div class="table-frame">
      <table class="fleet" data-testid="fleet">
        <caption class="sr">Gateways</caption>
        <thead>
          <tr>
            {HEADS.map(([by, name, num = false]) => (
              <SortHead key={by} by={by} name={name} num={num} order={order} onSort={sort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([gateway, verdict]) => (
            <GatewayRow key={gateway.name} gateway={gateway} verdict={verdict} nowUs={nowUs} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
