import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import type { LedgerRow } from "../api/types.ts";
import { count, plural } from "../format/number.ts";
import { Failure } from "../parts/failure.tsx";
import { formatHash } from "../route.ts";
import { accountOf, troubled } from "./account.ts";

const EVERY_MS = 5_000;

/** What became of every block: one row a gateway and epoch, of one gateway or of all. */
export function LedgerView({ gateway }: { gateway: string | undefined }) {
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
            ? `${count(bad)} of ${plural(rows.length, "epoch")} lack something`
            : "all accounted"}
          . <code>tidegate-cloud verify</code> counts the tables themselves against it.
        </p>
      </header>
      {polled.error && <Failure error={polled.error} kept />}
      {rows.length === 0 ? (
        <p class="notice">Nothing was stored yet.</p>
      ) : (
        <LedgerTable rows={rows} />
      )}
    </>
  );
}

function LedgerTable({ rows }: { rows: LedgerRow[] }) {
  const heads = ["Expected", "Stored", "Archived", "Readings", "In the lake"];
  return (
    <div class="table-frame">
      <table data-testid="ledger">
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
