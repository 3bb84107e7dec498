import type { Notice } from "../api/types.ts";
import { plural } from "../format/number.ts";
import { ago, instant, SECOND_US, span } from "../format/time.ts";
import { Severity } from "./severity.tsx";

/** What was told, the newest first, and what became of it. */
export function NoticeTable({ rows, nowUs }: { rows: readonly Notice[]; nowUs: number }) {
  return (
    <div class="table-frame">
      <table class="notices" data-testid="notices">
        <caption class="sr">Messages</caption>
        <thead>
          <tr>
            <th scope="col">Message</th>
            <th scope="col">Channel</th>
            <th scope="col">State</th>
            <th scope="col">Made</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((one) => (
            <tr key={one.id} data-testid="notice-row" data-state={one.state}>
              <th scope="row">
                {one.subject}
                <span class="sub">
                  <Severity of={one.severity} />
                </span>
              </th>
              <td data-label="Channel">{one.channel}</td>
              <td data-label="State">
                <span class={one.state === "delivered" ? undefined : "hot"}>{one.state}</span>
                <span class="sub">{became(one, nowUs)}</span>
                {one.error && <span class="sub why">{one.error}</span>}
              </td>
              <td data-label="Made">
                {instant(one.made, SECOND_US)}
                <span class="sub">{ago(one.made, nowUs)}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function became(one: Notice, nowUs: number): string {
  const tried = plural(one.attempts, "attempt");
  if (one.done !== null) return `after ${span(one.done - one.made)}, ${tried}`;
  if (one.due === null || one.due <= nowUs) return one.attempts ? `${tried}, now again` : "now";
  return `${tried}, again in ${span(one.due - nowUs)}`;
}
