import type { Gateway } from "../api/types.ts";
import { outlook } from "../fleet/backlog.ts";
import { certificateLeft } from "../fleet/certificate.ts";
import { bufferShare, lag } from "../fleet/health.ts";
import { bytes, count, plural, shortCount } from "../format/number.ts";
import { ago, DAY_US, instant } from "../format/time.ts";
import { Figure } from "../parts/figure.tsx";

/** All that is known of a gateway, figure by figure. */
export function GatewayPlates({ gateway, nowUs }: { gateway: Gateway; nowUs: number }) {
  const since = gateway.first_seen;
  return (
    <div class="plates nine">
      <Figure
        name="Last seen"
        value={gateway.last_seen === null ? "never" : ago(gateway.last_seen, nowUs)}
        note={since === null ? "" : `since ${instant(since, DAY_US)}`}
      />
      <Figure
        name="Newest reading"
        value={gateway.last_ts === null ? "none" : ago(gateway.last_ts, nowUs)}
        note={`${shortCount(gateway.readings)} in all`}
      />
      <Waiting gateway={gateway} />
      <Figure
        name="Blocks stored"
        value={count(gateway.stored)}
        note={lag(gateway) ? `${count(lag(gateway))} not yet archived` : "all archived"}
        testid="plate-lag"
      />
      <Figure
        name="Anomalies"
        value={count(gateway.anomalies)}
        note={`in ${plural(gateway.series, "series", "series")}`}
      />
      <Figure
        name="Clock"
        value={gateway.clock ?? "–"}
        note={`epoch ${gateway.epoch}, session ${gateway.session}`}
        testid="plate-clock"
      />
      <Figure
        name="Buffer key"
        value={gateway.key_tier ?? "–"}
        note={gateway.agent_version ? `agent ${gateway.agent_version}` : ""}
        testid="plate-key"
      />
      <Figure
        name="Certificate"
        value={certificateLeft(gateway.certificate_not_after, nowUs)}
        note={
          gateway.certificate_issued === null
            ? ""
            : `issued ${ago(gateway.certificate_issued, nowUs)}`
        }
        testid="plate-certificate"
      />
      <Figure
        name="Not understood"
        value={gateway.rejected === null ? "–" : shortCount(gateway.rejected)}
        note={gateway.rejected ? <code>tidegate-edge rejects</code> : "messages"}
        testid="plate-rejected"
      />
    </div>
  );
}

function Waiting({ gateway }: { gateway: Gateway }) {
  const full = bufferShare(gateway);
  const size = gateway.backlog_bytes === null ? "" : bytes(gateway.backlog_bytes);
  const share = full === null ? "" : `buffer ${Math.round(full * 100)} % full`;
  return (
    <Figure
      name="Waiting there"
      value={gateway.backlog_rows === null ? "–" : shortCount(gateway.backlog_rows)}
      note={[outlook(gateway) || size, share].filter(Boolean).join(", ")}
      testid="plate-waiting"
    />
  );
}
