import { NO_CHOICE, toggled } from "../choice.ts";
import { choose } from "../navigation.ts";
import { type Chip, Chips } from "../parts/chips.tsx";
import { WORDS } from "../parts/lamp.tsx";
import { Picker } from "../parts/picker.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { type Order, orderOf } from "../parts/sorting.ts";
import type { Route } from "../route.ts";
import { COLUMNS, healthCounts, type Row } from "./fleet-list.ts";
import type { Health } from "./health.ts";

type FleetRoute = Extract<Route, { view: "fleet" }>;

const HEALTHS: readonly Health[] = ["silent", "attention", "new", "well"];

/** Search, filter and order of the fleet, each of them in the address. */
export function FleetTools({
  route,
  rows,
  order,
}: {
  route: FleetRoute;
  rows: readonly Row[];
  order: Order;
}) {
  const choice = route.choice ?? NO_CHOICE;
  const counts = healthCounts(rows);
  const on = new Set((choice.show ?? "").split(","));
  const chips: Chip[] = HEALTHS.filter((one) => counts[one] > 0 || on.has(one)).map((one) => ({
    key: one,
    name: WORDS[one],
    count: counts[one],
  }));
  return (
    <search class="tools">
      <SearchBox
        label="Find"
        placeholder="name, clock, key, version, trouble"
        value={choice.q ?? ""}
        onSearch={(q) => choose(route, { q, page: undefined }, "replace")}
        main
        testid="fleet-search"
      />
      <Chips
        legend="Health"
        chips={chips}
        on={on}
        toggle={(one) => choose(route, { show: toggled(choice, "show", one), page: undefined })}
      />
      <Picker
        label="Order"
        value={order.key}
        options={COLUMNS.map(({ key, name }) => [key, name] as const)}
        onPick={(sort) => choose(route, { sort: sort === COLUMNS[0]?.key ? undefined : sort })}
        testid="fleet-sort"
      />
    </search>
  );
}

/** The order that the address names. */
export function fleetOrder(route: FleetRoute): Order {
  return orderOf(COLUMNS, route.choice?.sort);
}
