import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import { serverClock } from "../api/server-clock.ts";
import { NO_CHOICE } from "../choice.ts";
import { bytes, plural } from "../format/number.ts";
import { instant, MINUTE_US } from "../format/time.ts";
import { Command } from "../parts/command.tsx";
import { Failure } from "../parts/failure.tsx";
import type { Route } from "../route.ts";
import "../styles/compare.css";
import "../styles/notes.css";
import "../styles/models.css";
import type { Model, Rollout, Running } from "./model-types.ts";
import { RolloutCard } from "./rollout-card.tsx";
import { RunningTable } from "./running-table.tsx";

type ModelsRoute = Extract<Route, { view: "models" }>;

const EVERY_MS = 5_000;
const ROLLOUTS = 20;
const ROWS = 500;

interface Answer {
  models: Model[];
  rollouts: Rollout[];
  running: Running[];
  more: boolean;
}

/** What may be rolled out, what is, who runs what and how it behaves. */
export default function ModelsView({ route }: { route: ModelsRoute }) {
  const { gateway } = route.choice ?? NO_CHOICE;
  const polled = usePolled<Answer>(`models ${gateway ?? ""}`, EVERY_MS, async (signal) => {
    const [shelf, begun, told] = await Promise.all([
      getJson<{ models: Model[] }>("models", {}, signal),
      getJson<{ rollouts: Rollout[]; now: number }>("rollouts", { limit: ROLLOUTS }, signal),
      getJson<{ running: Running[]; next: string | null }>(
        "models/running",
        { gateway, limit: ROWS },
        signal,
      ),
    ]);
    serverClock.learn(begun.now);
    return {
      models: shelf.models,
      rollouts: begun.rollouts,
      running: told.running,
      more: told.next !== null,
    };
  });
  const found = polled.value;
  return (
    <>
      <header class="view-head">
        <h1>Models</h1>
        <p class="quiet" aria-live="polite" data-testid="models-found">
          {found ? `${plural(found.models.length, "version")} published` : "Loading…"}
        </p>
      </header>
      {polled.error && <Failure error={polled.error} kept={found !== undefined} />}
      {found && <Rollouts rollouts={found.rollouts} />}
      {found && (
        <section class="part" aria-labelledby="running-head">
          <h2 id="running-head">On the gateways</h2>
          <RunningTable running={found.running} />
          {found.more && <p class="quiet">The first {ROWS} rows; the API tells the rest.</p>}
        </section>
      )}
      {found && <Shelf models={found.models} />}
    </>
  );
}

function Rollouts({ rollouts }: { rollouts: Rollout[] }) {
  return (
    <section class="part" aria-labelledby="rollouts-head">
      <h2 id="rollouts-head">Rollouts</h2>
      {rollouts.length === 0 ? (
        <p class="quiet" data-testid="no-rollouts">
          Nothing was rolled out yet. Gateways run the models that came with them.
        </p>
      ) : (
        <ol class="rollouts">
          {rollouts.map((one) => (
            <RolloutCard key={one.id} rollout={one} />
          ))}
        </ol>
      )}
    </section>
  );
}

function Shelf({ models }: { models: Model[] }) {
  return (
    <section class="part" aria-labelledby="shelf-head">
      <h2 id="shelf-head">Published</h2>
      {models.length === 0 ? (
        <>
          <p class="quiet">Nothing is published. A model of the shelf is published by</p>
          <Command text="tidegate-cloud model publish NAME" />
        </>
      ) : (
        <div class="table-frame">
          <table data-testid="published">
            <caption class="sr">Published models</caption>
            <thead>
              <tr>
                <th scope="col">Model</th>
                <th scope="col">What it is</th>
                <th scope="col" class="num">
                  In service on
                </th>
                <th scope="col">Published</th>
              </tr>
            </thead>
            <tbody>
              {models.map((one) => (
                <tr key={one.sha256} data-testid="published-row">
                  <th scope="row">
                    {one.name} {one.version}
                    <span class="sub">
                      {bytes(one.bytes)}, <code>{one.sha256.slice(0, 12)}</code>
                    </span>
                  </th>
                  <td data-label="What it is">{one.about || "Its manifest says nothing of it."}</td>
                  <td data-label="In service on" class="num">
                    {plural(one.gateways, "gateway")}
                  </td>
                  <td data-label="Published">
                    {instant(one.published, MINUTE_US)}
                    <span class="sub">by {one.published_by}</span>
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
