import { useEffect, useRef } from "preact/hooks";
import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import type { ApartBlock } from "../api/types.ts";
import { bytes, count, plural } from "../format/number.ts";
import { instant } from "../format/time.ts";
import { choose } from "../navigation.ts";
import { Command } from "../parts/command.tsx";
import { Failure } from "../parts/failure.tsx";
import type { Route } from "../route.ts";
import { NAME_DIGITS } from "./block-table.tsx";

type QuarantineRoute = Extract<Route, { view: "quarantine" }>;

const EVERY_MS = 10_000;

/** One block, looked at: what it says of itself, and what may be done with it. */
export function BlockSheet({ route, block }: { route: QuarantineRoute; block: string }) {
  const polled = usePolled(`block ${block}`, EVERY_MS, (signal) =>
    getJson<ApartBlock>(`quarantine/${encodeURIComponent(block)}`, {}, signal),
  );
  const head = useRef<HTMLHeadingElement>(null);
  const there = polled.value !== undefined;
  useEffect(() => {
    if (there) head.current?.focus();
  }, [there]);
  return (
    <section class="panel sheet" aria-labelledby="block-head" data-testid="block-sheet">
      <header class="part-head">
        <h2 id="block-head" tabIndex={-1} ref={head}>
          Block <span class="code">{block.slice(0, NAME_DIGITS)}</span>
        </h2>
        <button type="button" class="button" onClick={() => choose(route, { block: undefined })}>
          Close
        </button>
      </header>
      {polled.error && <Failure error={polled.error} kept={there} />}
      {polled.value && <Facts one={polled.value} />}
    </section>
  );
}

function Facts({ one }: { one: ApartBlock }) {
  const name = one.block.slice(0, NAME_DIGITS);
  return (
    <>
      <dl class="facts">
        {facts(one).map(([what, value]) => (
          <div key={what}>
            <dt class="label">{what}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {one.state === "held" && (
        <>
          <p class="quiet part-word">
            {one.cause === "fork"
              ? "Another machine sends under this name, or an old copy of its card: see gateways pardon."
              : "On the cloud, have the lake try it again after an update, or give it up."}
          </p>
          {one.cause === "poison" && <Command text={`tidegate-cloud quarantine release ${name}`} />}
          <Command text={`tidegate-cloud quarantine discard ${name} --why "…"`} />
        </>
      )}
    </>
  );
}

function facts(one: ApartBlock): [string, string][] {
  const { header } = one;
  const told: [string, string][] = [
    ["Gateway", `${one.gateway}, epoch ${one.epoch}, block ${count(one.seq)}`],
    ["State", one.why ? `${one.state}: ${one.why}` : one.state],
    ["Reason", one.reason],
    ["Tried", plural(one.attempts, "time")],
    ["Set apart", instant(one.since)],
    ["Size", `${bytes(one.bytes)}${one.kept ? "" : ", no longer held"}`],
  ];
  if (one.settled !== null) told.push(["Settled", instant(one.settled)]);
  if (one.fault) told.push(["Its header", `cannot be read: ${one.fault}`]);
  if (header === null) return told;
  const rows = Object.entries(header.rows).filter(([, n]) => n > 0);
  told.push(
    ["Rows", rows.map(([kind, n]) => `${count(n)} ${kind.replaceAll("_", " ")}`).join(", ")],
    ["Times in it", `${instant(header.ts_min)} to ${instant(header.ts_max)}`],
    ["Sealed", instant(header.sealed)],
    ["Start of the gateway", header.boot_id],
  );
  return told;
}
