import type { Gateway } from "../api/types.ts";
import { bytes, count, shortCount } from "../format/number.ts";
import { outlook } from "./backlog.ts";
import { lag } from "./health.ts";

/** How far a gateway's readings have come: waiting there, stored here, archived in the lake. */
export function Delivery({ gateway }: { gateway: Gateway }) {
  const waiting = gateway.backlog_rows ?? 0;
  const behind = lag(gateway);
  const goes = outlook(gateway);
  return (
    <span class="delivery" data-testid="delivery" data-backlog={waiting} data-lag={behind}>
      <span class="leg">
        {gateway.backlog_rows === null ? "–" : shortCount(waiting)}
        {gateway.backlog_bytes ? <small>{bytes(gateway.backlog_bytes)}</small> : null}
        <span class="sub">waiting{goes && `, ${goes}`}</span>
      </span>
      <span class="leg">
        {count(gateway.stored)}
        <span class="sub">stored</span>
      </span>
      <span class="leg">
        {count(gateway.archived)}
        {behind ? <small>−{count(behind)}</small> : null}
        <span class="sub">archived</span>
      </span>
    </span>
  );
}
