import type { Gateway, Status } from "../api/types.ts";
import { count, plural, shortCount } from "../format/number.ts";
import { Figure } from "../parts/figure.tsx";
import type { Verdict } from "./health.ts";

/** The system in five figures. */
export function FleetTotals({ rows, status }: { rows: [Gateway, Verdict][]; status: Status }) {
  const silent = rows.filter(([, verdict]) => verdict.health === "silent").length;
  const unheard = rows.filter(([, verdict]) => verdict.health === "new").length;
  const waiting = rows.reduce((sum, [gateway]) => sum + (gateway.backlog_rows ?? 0), 0);
  const tail = Math.max(status.journal.head - status.journal.archived, 0);
  return (
    <div class="plates">
      <Figure
        name="Gateways"
        value={count(rows.length)}
        note={
          silent ? (
            <span class="hot">{silent} silent</span>
          ) : unheard ? (
            `${unheard} not yet heard`
          ) : (
            "all heard"
          )
        }
        testid="total-gateways"
      />
      <Figure
        name="Waiting at gateways"
        value={shortCount(waiting)}
        note={waiting === 1 ? "reading" : "readings"}
      />
      <Figure
        name="Journal"
        value={count(status.journal.head)}
        note={tail ? `${plural(tail, "block")} ahead of the lake` : "all in the lake"}
      />
      <Figure
        name="History"
        value={shortCount(status.history.readings)}
        note={`readings in ${plural(status.history.series, "series", "series")}`}
        testid="total-readings"
      />
      <Figure
        name="Anomalies"
        value={shortCount(status.history.anomalies)}
        note="found at the edge"
      />
    </div>
  );
}
