import type { Device } from "../api/types.ts";
import { NO_CHOICE } from "../choice.ts";
import { count, plural, shortCount } from "../format/number.ts";
import { ago } from "../format/time.ts";
import { choose } from "../navigation.ts";
import { Pager, pageOf } from "../parts/pager.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { SortHead } from "../parts/sort-head.tsx";
import { type Column, orderOf, sorted } from "../parts/sorting.ts";
import { formatHash, type Route } from "../route.ts";

type GatewayRoute = Extract<Route, { view: "gateway" }>;

const PAGE_ROWS = 50;
const COLUMNS: readonly (Column<Device> & { num?: boolean })[] = [
  { key: "device", name: "Device", rises: true, of: (one) => one.device },
  { key: "last", name: "Last reading", rises: false, of: (one) => one.last_ts },
  { key: "metrics", name: "Metrics", rises: false, of: (one) => one.metrics, num: true },
  { key: "readings", name: "Readings", rises: false, of: (one) => one.readings, num: true },
  { key: "anomalies", name: "Anomalies", rises: false, of: (one) => one.anomalies, num: true },
];

interface Props {
  route: GatewayRoute;
  devices: readonly Device[];
  nowUs: number;
}

/** The devices heard through a gateway: searched, ordered, a page at a time. */
export function DeviceTable({ route, devices, nowUs }: Props) {
  const choice = route.choice ?? NO_CHOICE;
  const order = orderOf(COLUMNS, choice.sort);
  const part = (choice.q ?? "").toLowerCase();
  const found = sorted(
    devices.filter((one) => one.device.toLowerCase().includes(part)),
    COLUMNS,
    order,
  );
  const page = pageOf(choice.page, found.length, PAGE_ROWS);
  return (
    <section class="part" aria-labelledby="devices-head">
      <header class="part-head">
        <h2 id="devices-head">{plural(devices.length, "device")}</h2>
        <SearchBox
          label="Find a device"
          value={choice.q ?? ""}
          onSearch={(q) => choose(route, { q, page: undefined }, "replace")}
          main
          testid="device-search"
        />
      </header>
      {found.length === 0 && <p class="notice">No device is called so.</p>}
      {found.length > 0 && (
        <div class="table-frame">
          <table data-testid="devices">
            <caption class="sr">Devices of {route.gateway}</caption>
            <thead>
              <tr>
                {COLUMNS.map(({ key, name, num = false }) => (
                  <SortHead
                    key={key}
                    by={key}
                    name={name}
                    num={num}
                    order={order}
                    onSort={(sort) => choose(route, { sort, page: undefined })}
                  />
                ))}
              </tr>
            </thead>
            <tbody>
              {found.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS).map((one) => (
                <DeviceRow key={one.device} row={one} nowUs={nowUs} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Pager
        what="devices"
        total={found.length}
        page={page}
        rows={PAGE_ROWS}
        onPage={(to) => choose(route, { page: to === 1 ? undefined : String(to) })}
      />
    </section>
  );
}

function DeviceRow({ row, nowUs }: { row: Device; nowUs: number }) {
  const { gateway, device } = row;
  return (
    <tr data-testid="device-row" data-device={device}>
      <th scope="row">
        <a class="row-name" href={formatHash({ view: "device", gateway, device })}>
          {device}
        </a>
      </th>
      <td data-label="Last reading">{row.last_ts === null ? "none" : ago(row.last_ts, nowUs)}</td>
      <td data-label="Metrics" class="num">
        {count(row.metrics)}
      </td>
      <td data-label="Readings" class="num">
        {shortCount(row.readings)}
      </td>
      <td data-label="Anomalies" class={row.anomalies ? "num hot" : "num"}>
        {count(row.anomalies)}
      </td>
    </tr>
  );
}
