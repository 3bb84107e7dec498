import { serverClock } from "../api/server-clock.ts";
import { count, plural } from "../format/number.ts";
import { ago, moment, span } from "../format/time.ts";
import { pointsWithin } from "./plot-data.ts";
import type { ChartHistory } from "./use-history.ts";
import type { Window } from "./window.ts";

interface Props {
  history: ChartHistory;
  window: Window;
  /** When the series was last heard. */
  lastUs: number | null;
}

/** How true the drawing is: its resolution, its freshness, its gaps, and where it was cut. */
export function ChartFoot({ history, window, lastUs }: Props) {
  const points = pointsWithin(history.data, window.fromUs, window.toUs);
  const gaps = history.data.gaps.filter(([a, b]) => b > window.fromUs && a < window.toUs);
  return (
    <div class="chart-foot" data-testid="chart-foot">
      <Item name="Resolution">{resolutionName(history)}</Item>
      <Item name="Drawn">
        {plural(points, history.data.bucketUs === null ? "reading" : "bucket")}
        {gaps.length > 0 && `, ${plural(gaps.length, "gap")}`}
        {history.answer?.readingsCut && ", cut: zoom in for the rest"}
      </Item>
      <Item name="Freshness">
        <Freshness history={history} window={window} lastUs={lastUs} />
      </Item>
      <Item name="Journal">{watermark(history)}</Item>
    </div>
  );
}

function Freshness({ history, window, lastUs }: Props) {
  if (lastUs === null) return <>no readings yet</>;
  const heard = ago(lastUs, serverClock.nowUs());
  const last = window.edge === "present" ? heard : `${moment(lastUs)}, ${heard}`;
  if (history.live === "off") return <>last reading {last}</>;
  const words = { open: "live", connecting: "connecting", lost: "live feed lost, retrying" };
  return (
    <>
      <span class={`live-lamp ${history.live}`} aria-hidden="true" />
      {words[history.live]}, last reading {last}
    </>
  );
}

function Item({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div class="foot-item">
      <span class="label">{name}</span>
      <span class="foot-text">{children}</span>
    </div>
  );
}

function resolutionName(history: ChartHistory): string {
  const answer = history.answer?.history;
  if (!answer) return "–";
  if (answer.bucket_us === null) return "raw readings";
  return `${span(answer.bucket_us)} buckets: mean, min to max`;
}

function watermark(history: ChartHistory): string {
  const mark = history.answer?.history.watermark;
  if (!mark) return "–";
  const tail = mark.journal - mark.lake;
  const place = `to block ${count(mark.journal)}`;
  return tail > 0 ? `${place}, ${count(tail)} ahead of the lake` : `${place}, all in the lake`;
}
