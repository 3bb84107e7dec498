import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import type { Standing } from "../api/types.ts";
import { NO_CHOICE } from "../choice.ts";
import { choose } from "../navigation.ts";
import { Failure } from "../parts/failure.tsx";
import { Older } from "../parts/older.tsx";
import { Picker } from "../parts/picker.tsx";
import type { Route } from "../route.ts";
import "../styles/alerts.css";
import { Messages } from "./messages.tsx";
import { StandingTable } from "./standing-table.tsx";
import { KINDS, tally } from "./wording.ts";

export type AlertsRoute = Extract<Route, { view: "alerts" }>;

const EVERY_MS = 5_000;
const PAGE_ROWS = 50;
const WHAT: readonly (readonly [string, string])[] = [
  ["", "All kinds"],
  ...Object.entries(KINDS).map(([what, [name]]) => [what, name] as const),
];

interface Answer {
  standing: Standing[];
  next: string | null;
  now: number;
}

/** What people are told of: what stands now or stood, and what became of each message. */
export default function AlertsView({ route }: { route: AlertsRoute }) {
  const { which, what, gateway, cursor } = route.choice ?? NO_CHOICE;
  const isAll = which === "all";
  const asked = { what, gateway, cursor, which: isAll ? "all" : "open", limit: PAGE_ROWS };
  const polled = usePolled(`standing ${JSON.stringify(asked)}`, EVERY_MS, async (signal) => {
    const answer = await getJson<Answer>("standing", asked, signal);
    serverClock.learn(answer.now);
    return answer;
  });
  const found = polled.value;
  const open = found?.standing.filter((one) => one.ended === null) ?? [];
  return (
    <>
      <header class="view-head">
        <h1>Alerts</h1>
        <p class="quiet" aria-live="polite" data-testid="alerts-sum">
          {found ? tally(open, found.next !== null) : "Loading…"}
          {gateway && ` of ${gateway}`}
        </p>
      </header>
      <Tools route={route} />
      {polled.error && <Failure error={polled.error} kept={found !== undefined} />}
      {found?.standing.length === 0 && (
        <p class="notice" data-testid="none-stands">
          {what || gateway || isAll ? "No alert is as asked." : "Nothing stands: all is well."} A
          silent gateway, a buffer that fills up, lost readings, a certificate near its end,
          anomalies and limits that are passed are shown here, and told to the channels in{" "}
          <code>cloud.toml</code>.
        </p>
      )}
      {found !== undefined && found.standing.length > 0 && (
        <StandingTable rows={found.standing} nowUs={found.now} />
      )}
      <Older
        what="alerts"
        cursor={cursor}
        next={found?.next}
        onGo={(to) => choose(route, { cursor: to })}
      />
      <Messages route={route} />
    </>
  );
}

function Tools({ route }: { route: AlertsRoute }) {
  const { which, what, gateway } = route.choice ?? NO_CHOICE;
  return (
    <search class="tools" aria-label="Which alerts">
      <Picker
        label="Shown"
        value={which === "all" ? "all" : ""}
        options={[
          ["", "What stands now"],
          ["all", "What ended too"],
        ]}
        onPick={(one) => choose(route, { which: one, cursor: undefined })}
        testid="alert-which"
      />
      <Picker
        label="Kind"
        value={what ?? ""}
        options={WHAT}
        onPick={(one) => choose(route, { what: one, cursor: undefined })}
        testid="alert-kind"
      />
      {gateway && (
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
