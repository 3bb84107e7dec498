import { getJson } from "../api/client.ts";
import { usePolled } from "../api/poll.ts";
import type { Gap } from "../api/types.ts";
import { count } from "../format/number.ts";
import { instant, span } from "../format/time.ts";
import { reasonWords } from "../ledger/account.ts";
import { Failure } from "../parts/failure.tsx";

const EVERY_MS = 30_000;
const GAPS_MAX = 50;

/** What a gateway declared lost, the newest first. */
export function GapTable({ gateway }: { gateway: string }) {
  const polled = usePolled(`gaps ${gateway}`, EVERY_MS, (signal) =>
    getJson<{ gaps: Gap[]; next: string | null }>("gaps", { gateway, limit: GAPS_MAX }, signal),
  );
  const gaps = polled.value?.gaps;
  return (
    <section class="part" aria-labelledby="gaps-head" data-testid="gaps">
      <h2 id="gaps-head">Gaps</h2>
      {polled.error && <Failure error={polled.error} kept={gaps !== undefined} />}
      {gaps?.length === 0 && <p class="quiet">None: {gateway} never declared anything lost.</p>}
      {gaps !== undefined && gaps.length > 0 && <Gaps gateway={gateway} gaps={gaps} />}
      {polled.value?.next && (
        <p class="quiet onward">The newest {GAPS_MAX}; the ledger sums up all of them.</p>
      )}
    </section>
  );
}

function Gaps({ gateway, gaps }: { gateway: string; gaps: Gap[] }) {
  return (
    <div class="table-frame">
      <table>
        <caption class="sr">Gaps of {gateway}</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">Until</th>
            <th scope="col">Long</th>
            <th scope="col" class="num">
              Readings
            </th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {gaps.map((gap) => (
            <tr key={`${gap.epoch} ${gap.from} ${gap.to} ${gap.reason}`} data-testid="gap-row">
              <th scope="row">{instant(gap.from)}</th>
              <td data-label="Until">{instant(gap.to)}</td>
              <td data-label="Long">{span(gap.to - gap.from)}</td>
              <td data-label="Readings" class="num">
                {count(gap.readings)}
              </td>
              <td data-label="Why">{reasonWords(gap.reason)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
