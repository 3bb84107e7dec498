import type { Gateway } from "../api/types.ts";
import { count, plural, shortCount } from "../format/number.ts";
import { ago, instant } from "../format/time.ts";
import { Lamp } from "../parts/lamp.tsx";
import { formatHash } from "../route.ts";
import { certificateLeft } from "./certificate.ts";
import { Delivery } from "./delivery.tsx";
import type { Verdict } from "./health.ts";

/** One gateway of the fleet. */
export function GatewayRow({
  gateway,
  verdict,
  nowUs,
}: {
  gateway: Gateway;
  verdict: Verdict;
  nowUs: number;
}) {
  const seen = gateway.last_seen;
  return (
    <tr data-testid="gateway-row" data-gateway={gateway.name} data-health={verdict.health}>
      <th scope="row">
        <a class="row-name" href={formatHash({ view: "gateway", gateway: gateway.name })}>
          {gateway.name}
        </a>
        <span class="sub">{plural(gateway.series, "series", "series")}</span>
      </th>
      <td data-label="Health">
        <Lamp health={verdict.health} />
        {verdict.reasons.map((reason) => (
          <span key={reason} class="sub">
            {reason}
          </span>
        ))}
      </td>
      <td data-label="Last seen" title={seen === null ? "" : instant(seen)}>
        {seen === null ? "never" : ago(seen, nowUs)}
      </td>
      <td data-label="Delivery">
        <Delivery gateway={gateway} />
      </td>
      <td data-label="Readings" class="num">
        {shortCount(gateway.readings)}
      </td>
      <td data-label="Anomalies" class={gateway.anomalies ? "num hot" : "num"}>
        {count(gateway.anomalies)}
      </td>
      <td data-label="Clock">{gateway.clock ?? "–"}</td>
      <td data-label="Key">{gateway.key_tier ?? "–"}</td>
      <td data-label="Certificate">{certificateLeft(gateway.certificate_not_after, nowUs)}</td>
    </tr>
  );
}
