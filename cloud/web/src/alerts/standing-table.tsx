import type { Standing } from "../api/types.ts";
import { ago, instant, SECOND_US, span } from "../format/time.ts";
import { Name } from "../parts/name.tsx";
import { PLAIN_REVIEW } from "../review/review-address.ts";
import { formatHash } from "../route.ts";
import { Severity } from "./severity.tsx";
import { facts, KINDS } from "./wording.ts";

/** Alerts, those found last on top. */
export function StandingTable({ rows, nowUs }: { rows: readonly Standing[]; nowUs: number }) {
  return (
    <div class="table-frame">
      <table class="alerts" data-testid="standing">
        <caption class="sr">Alerts</caption>
        <thead>
          <tr>
            <th scope="col">Alert</th>
            <th scope="col">About</th>
            <th scope="col">Why</th>
            <th scope="col">Since</th>
            <th scope="col">Rule</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((one) => (
            <tr
              key={one.id}
              data-testid="standing-row"
              data-what={one.what}
              data-severity={one.severity}
              data-state={one.ended === null ? "open" : "ended"}
            >
              <th scope="row">
                <Severity of={one.severity}>{KINDS[one.what][one.ended === null ? 0 : 1]}</Severity>
                <span class="sub">
                  {one.severity}
                  {one.ended !== null && ", ended"}
                </span>
              </th>
              <td data-label="About">
                <Subject of={one} />
              </td>
              <td data-label="Why">{facts(one).join(", ")}</td>
              <td data-label="Since">
                {instant(one.began, SECOND_US)}
                <span class="sub">
                  {one.ended === null
                    ? ago(one.began, nowUs)
                    : `for ${span(one.ended - one.began)}`}
                </span>
              </td>
              <td data-label="Rule">{one.rule}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Whom it is about, each name leading to its view; of anomalies to their review. */
function Subject({ of }: { of: Standing }) {
  const { gateway, device, metric } = of;
  const review = { ...PLAIN_REVIEW, gateway, device: device ?? "", metric: metric ?? "" };
  return (
    <>
      <a href={formatHash({ view: "gateway", gateway })}>
        <Name text={gateway} />
      </a>
      {device && (
        <span class="sub">
          <a href={formatHash({ view: "device", gateway, device })}>{device}</a> · {metric}
          {of.what === "episode" && (
            <>
              {" · "}
              <a href={formatHash({ view: "review", review })}>Review</a>
            </>
          )}
        </span>
      )}
    </>
  );
}
