import type { Apart } from "../api/types.ts";
import { bytes, count } from "../format/number.ts";
import { instant, MINUTE_US } from "../format/time.ts";
import { choose } from "../navigation.ts";
import { formatHash, type Route } from "../route.ts";

type QuarantineRoute = Extract<Route, { view: "quarantine" }>;

/** As many digits of a block's hash as name it in commands. */
export const NAME_DIGITS = 12;

/** Blocks set apart, the last first. */
export function BlockTable({ route, blocks }: { route: QuarantineRoute; blocks: Apart[] }) {
  const open = route.choice?.block;
  return (
    <div class="table-frame">
      <table data-testid="apart">
        <caption class="sr">Blocks set apart</caption>
        <thead>
          <tr>
            <th scope="col">Block</th>
            <th scope="col">Gateway</th>
            <th scope="col">State</th>
            <th scope="col">Why</th>
            <th scope="col" class="num">
              Readings
            </th>
            <th scope="col">Since</th>
          </tr>
        </thead>
        <tbody>
          {blocks.map((one) => (
            <tr
              key={one.block}
              data-testid="apart-row"
              data-block={one.block}
              data-state={one.state}
              class={one.block === open ? "chosen" : undefined}
            >
              <th scope="row">
                <button
                  type="button"
                  class="plain code"
                  aria-expanded={one.block === open}
                  onClick={() =>
                    choose(route, { block: one.block === open ? undefined : one.block })
                  }
                >
                  {one.block.slice(0, NAME_DIGITS)}
                </button>
                <span class="sub">
                  epoch {one.epoch}, {count(one.seq)}
                </span>
              </th>
              <td data-label="Gateway">
                <a href={formatHash({ view: "gateway", gateway: one.gateway })}>{one.gateway}</a>
              </td>
              <td data-label="State">
                {one.state}
                <span class="sub">{one.cause === "fork" ? "another stream" : "unreadable"}</span>
              </td>
              <td data-label="Why">
                {one.reason}
                {one.why && <span class="sub">discarded: {one.why}</span>}
              </td>
              <td data-label="Readings" class="num">
                {count(one.readings)}
                <span class="sub">{bytes(one.bytes)}</span>
              </td>
              <td data-label="Since">{instant(one.since, MINUTE_US)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
