import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import type { LedgerRow } from "../api/types.ts";
import { NO_CHOICE } from "../choice.ts";
import { count, plural } from "../format/number.ts";
import { choose } from "../navigation.ts";
import { Chips } from "../parts/chips.tsx";
import { Failure } from "../parts/failure.tsx";
import { Pager, pageOf } from "../parts/pager.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { formatHash, type Route } from "../route.ts";
import "../styles/ledger.css";
import { accountOf, lacksSomething, troubled } from "./account.ts";

type LedgerRoute = Extract<Route, { view: "ledger" }>;

const EVERY_MS = 5_000;
const PAGE_ROWS = 100;
const LACKING = "lacking";

/** What became of every block: one row a gateway and epoch, of one gateway or of all. */
export default function LedgerView({ route }: { route: LedgerRoute }) {
  const { gateway } = route;
  const polled = usePolled(`ledger ${gateway ?? ""}`, EVERY_MS, (signal) =>
    getJson<{ ledger: LedgerRow[] }>("ledger", { gateway }, signal),
  );
  if (!polled.value) {
    return polled.error ? <Failure error={polled.error} /> : <p class="quiet">Loading…</p>;
  }
  const rows = polled.value.ledger;
  const bad = troubled(rows);
  return (
    <>
      <header class="view-head">
        <h1>Ledger</h1>
        <p class="quiet" data-testid="ledger-sum">
          {bad
            ? `${count(bad)} of ${plural(rows.length, "epoch")} not whole`
            : "every epoch is whole"}
          . <code>tidegate-cloud verify</code> counts the tables themselves against it.
        </p>
      </header>
      {polled.error && <Failure error={polled.error} kept />}
      {rows.length === 0 ? (
        <p class="notice">Nothing was stored yet.</p>
      ) : (
        <LedgerList route={route} rows={rows} lacking={bad} />
      )}
    </>
  );
}

interface ListProps {
  route: LedgerRoute;
  rows: LedgerRow[];
  lacking: number;
}

function LedgerList({ route, rows, lacking }: ListProps) {
  const choice = route.choice ?? NO_CHOICE;
  const part = (choice.q ?? "").toLowerCase();
  const only = choice.show === LACKING;
  const found = rows.filter(
    (row) => row.gateway.toLowerCase().includes(part) && (!only || lacksSomething(row)),
  );
  const page = pageOf(choice.page, found.length, PAGE_ROWS);
  return (
    <>
      <search class="tools">
        {route.gateway === undefined && (
          <SearchBox
            label="Find a gateway"
            value={choice.q ?? ""}
            onSearch={(q) => choose(route, { q, page: undefined }, "replace")}
            main
            testid="ledger-search"
          />
        )}
        <Chips
          legend="Show"
          chips={[{ key: LACKING, name: "Not whole", count: lacking }]}
          on={new Set(only ? [LACKING] : [])}
          toggle={() => choose(route, { show: only ? undefined : LACKING, page: undefined })}
        />
      </search>
      {found.length === 0 ? (
        <p class="notice" data-testid="none-found">
          No epoch is as asked.
        </p>
      ) : (
        <LedgerTable rows={found.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS)} />
      )}
      <Pager
        what="epochs"
        total={found.length}
        page={page}
        rows={PAGE_ROWS}
        onPage={(to) => choose(route, { page: to === 1 ? undefined : String(to) })}
      />
    </>
  );
}

function LedgerTable({ rows }: { rows: LedgerRow[] }) {
  const heads = ["Expected", "Stored", "Archived", "Readings", "In the lake"];
  return (
    <div class="table-frame">
      <table data-testid="ledger">
        <caption class="sr">Epochs of gateways</caption>
        <thead>
          <tr>
            <th scope="col">Gateway</th>
            <th scope="col">Epoch</th>
            {heads.map((head) => (
              <th key={head} scope="col" class="num">
                {head}
              </th>
            ))}
            <th scope="col">What became of it</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={`${row.gateway} ${row.epoch}`} row={row} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ row }: { row: LedgerRow }) {
  const figures: [string, number][] = [
    ["Expected", row.expected],
    ["Stored", row.stored],
    ["Archived", row.archived],
    ["Readings", row.readings],
    ["In the lake", row.in_lake],
  ];
  return (
    <tr data-testid="ledger-row" data-gateway={row.gateway} data-epoch={row.epoch}>
      <th scope="row">
        <a class="row-name" href={formatHash({ view: "gateway", gateway: row.gateway })}>
          {row.gateway}
        </a>
      </th>
      <td data-label="Epoch">
        {row.epoch === 0 ? "older ones" : row.epoch}
        <span class="sub">{row.open ? "open" : "closed"}</span>
      </td>
      {figures.map(([name, value]) => (
        <td key={name} data-label={name} class="num">
          {count(value)}
        </td>
      ))}
      <td data-label="What became of it">
        <ul class="account">
          {accountOf(row).map((line) => (
            <li key={line.text} class={line.tone}>
              {line.text}
              {line.tone === "apart" && <Apart gateway={row.gateway} />}
            </li>
          ))}
          {row.reasons.map((reason) => (
            <li key={reason} class="sub">
              {reason}
            </li>
          ))}
        </ul>
      </td>
    </tr>
  );
}

function Apart({ gateway }: { gateway: string }) {
  const href = formatHash({ view: "quarantine", choice: { gateway } });
  return (
    <>
      {" · "}
      <a href={href}>Show</a>
    </>
  );
}
