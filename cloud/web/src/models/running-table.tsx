import { serverClock } from "../api/server-clock.ts";
import { bytes, count, measure, rough } from "../format/number.ts";
import { ago, instant, MINUTE_US } from "../format/time.ts";
import { formatHash } from "../route.ts";
import type { Running } from "./model-types.ts";

/** Before the promise lets one expect so many alarms, a single one would look like a flood. */
const EXPECTED_MIN = 0.5;

/** What each gateway runs and how it behaves, gateway by gateway. */
export function RunningTable({ running }: { running: Running[] }) {
  if (running.length === 0) {
    return (
      <p class="quiet" data-testid="none-running">
        No gateway has said yet what it runs; they do a few seconds after they connect.
      </p>
    );
  }
  return (
    <div class="table-frame">
      <table data-testid="running">
        <caption class="sr">Models on the gateways</caption>
        <thead>
          <tr>
            <th scope="col">Gateway</th>
            <th scope="col">Model</th>
            <th scope="col">State</th>
            <th scope="col" class="num">
              Alarms
            </th>
            <th scope="col" class="num">
              Windows
            </th>
            <th scope="col" class="num">
              µs a window
            </th>
            <th scope="col">Heard</th>
          </tr>
        </thead>
        <tbody>
          {running.map((one) => (
            <Row key={`${one.gateway} ${one.name} ${one.rollout}`} one={one} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ one }: { one: Running }) {
  return (
    <tr data-testid="running-row" data-gateway={one.gateway} data-state={one.state}>
      <th scope="row">
        <a class="row-name" href={formatHash({ view: "gateway", gateway: one.gateway })}>
          {one.gateway}
        </a>
      </th>
      <td data-label="Model">
        {one.name} {one.version}
        <span class="sub">{one.rollout ? `rollout ${one.rollout}` : "the gateway's own"}</span>
      </td>
      <td data-label="State">
        {stateName(one)}
        {one.reason && <span class="sub">{one.reason}</span>}
      </td>
      <td data-label="Alarms" class="num">
        {count(one.alarms)}
        <span
          class="sub"
          title={`of one series; ${measure(one.series_weeks)} series-weeks watched`}
        >
          {rateOf(one)}
        </span>
      </td>
      <td data-label="Windows" class="num">
        {count(one.scored)}
        {one.errors > 0 && <span class="sub hot">{count(one.errors)} failed</span>}
      </td>
      <td data-label="µs a window" class="num">
        {one.scored ? rough(one.mean_us) : "–"}
        {one.memory_bytes > 0 && <span class="sub">{bytes(one.memory_bytes)}</span>}
      </td>
      <td data-label="Heard" title={instant(one.heard, MINUTE_US)}>
        {ago(one.heard, serverClock.nowUs())}
      </td>
    </tr>
  );
}

/** How a model stands on a gateway, in words. */
export function stateName(one: Running): string {
  switch (one.state) {
    case "good":
      return "In service";
    case "tried":
      return one.stage === "shadow" ? "In shadow, silent" : `On trial in service (${one.stage})`;
    case "fetching":
      return "Being fetched";
    case "failed":
      return "Taken back";
    case "refused":
      return "Refused";
    default:
      return "Unknown";
  }
}

/** Alarms a series and week, beside what was promised; nothing while too little was watched. */
export function rateOf(one: Running): string {
  if (!one.series_weeks || one.alarms_per_week === null) return "";
  if (one.series_weeks * (one.promised_per_week ?? 1) < EXPECTED_MIN) return "too early for a rate";
  return `${measure(one.alarms_per_week)} a week, ${measure(one.promised_per_week)} promised`;
}
