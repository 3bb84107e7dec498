import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Apart, Fleet } from "../api/types.ts";
import { type Choice, chosen, NO_CHOICE, toggled } from "../choice.ts";
import { count, plural } from "../format/number.ts";
import { capital } from "../format/words.ts";
import { choose } from "../navigation.ts";
import { Chips } from "../parts/chips.tsx";
import { Failure } from "../parts/failure.tsx";
import { Older } from "../parts/older.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { formatHash, type Route } from "../route.ts";
import "../styles/quarantine.css";
import { BlockSheet } from "./block-sheet.tsx";
import { BlockTable } from "./block-table.tsx";

type QuarantineRoute = Extract<Route, { view: "quarantine" }>;

const EVERY_MS = 10_000;
const PAGE_ROWS = 100;
const STATES = ["held", "releasing", "released", "discarded"] as const;

interface Answer {
  quarantine: Apart[];
  total: number;
  next: string | null;
  now: number;
}

/** What was set aside or refused, and why; each block may be looked at. */
export default function QuarantineView({ route }: { route: QuarantineRoute }) {
  const choice = route.choice ?? NO_CHOICE;
  const states = STATES.filter((one) => chosen(choice, "state").has(one)).join(",");
  const { q, gateway, cursor } = choice;
  const asked = { q, gateway, cursor, state: states, limit: PAGE_ROWS };
  const polled = usePolled(`quarantine ${JSON.stringify(asked)}`, EVERY_MS, async (signal) => {
    const [found, fleet] = await Promise.all([
      getJson<Answer>("quarantine", asked, signal),
      getJson<Fleet>("gateways", { gateway }, signal),
    ]);
    serverClock.learn(found.now);
    return { found, fleet };
  });
  const found = polled.value?.found;
  return (
    <>
      <header class="view-head">
        <h1>Quarantine</h1>
        <p class="quiet" aria-live="polite" data-testid="apart-found">
          {found ? `${plural(found.total, "block")} set apart` : "Loading…"}
          {gateway && ` of ${gateway}`}
        </p>
      </header>
      <Tools route={route} choice={choice} />
      {polled.error && <Failure error={polled.error} kept={found !== undefined} />}
      {choice.block && <BlockSheet key={choice.block} route={route} block={choice.block} />}
      {found?.quarantine.length === 0 && (
        <p class="notice" data-testid="none-found">
          {choice.q || states ? "No block set apart is as asked." : "Nothing is set apart."} Blocks
          come here when the lake cannot take them, or when two machines send under one name.
        </p>
      )}
      {found !== undefined && found.quarantine.length > 0 && (
        <BlockTable route={route} blocks={found.quarantine} />
      )}
      <Older
        what="blocks"
        cursor={choice.cursor}
        next={found?.next}
        onGo={(to) => choose(route, { cursor: to })}
      />
      {polled.value && <Refused fleet={polled.value.fleet} />}
    </>
  );
}

function Tools({ route, choice }: { route: QuarantineRoute; choice: Choice }) {
  return (
    <search class="tools">
      <SearchBox
        label="Find"
        placeholder="name, gateway or reason"
        value={choice.q ?? ""}
        onSearch={(q) => choose(route, { q, cursor: undefined }, "replace")}
        main
        testid="apart-search"
      />
      <Chips
        legend="State"
        chips={STATES.map((key) => ({ key, name: capital(key) }))}
        on={chosen(choice, "state")}
        toggle={(one) => choose(route, { state: toggled(choice, "state", one), cursor: undefined })}
      />
      {choice.gateway && (
        <button
          type="button"
          class="button"
          data-testid="all-gateways"
          onClick={() => choose(route, { gateway: undefined, cursor: undefined })}
        >
          Of all gateways
        </button>
      )}
    </search>
  );
}

/** What gateways could not read never became a block: it is counted here and kept there. */
function Refused({ fleet }: { fleet: Fleet }) {
  const rows = fleet.gateways
    .filter((one) => one.rejected || one.evicted)
    .toSorted((a, b) => (b.rejected ?? 0) - (a.rejected ?? 0));
  return (
    <section class="part" aria-labelledby="refused-head" data-testid="refused">
      <h2 id="refused-head">Refused at gateways</h2>
      <p class="quiet part-word">
        Messages that no convention could read are kept on the gateway with their reason:{" "}
        <code>tidegate-edge rejects</code> shows them there, <code>rejects retry</code> reads them
        again once a rule is there. Evicted is what a full buffer gave up.
      </p>
      {rows.length === 0 ? (
        <p class="quiet">None: every message was understood, nothing was evicted.</p>
      ) : (
        <div class="table-frame narrow">
          <table>
            <caption class="sr">Messages refused, by gateway</caption>
            <thead>
              <tr>
                <th scope="col">Gateway</th>
                <th scope="col" class="num">
                  Not understood
                </th>
                <th scope="col" class="num">
                  Evicted
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.name} data-testid="refused-row" data-gateway={one.name}>
                  <th scope="row">
                    <a class="row-name" href={formatHash({ view: "gateway", gateway: one.name })}>
                      {one.name}
                    </a>
                  </th>
                  <td data-label="Not understood" class="num">
                    {count(one.rejected ?? 0)}
                  </td>
                  <td data-label="Evicted" class={one.evicted ? "num hot" : "num"}>
                    {count(one.evicted ?? 0)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
