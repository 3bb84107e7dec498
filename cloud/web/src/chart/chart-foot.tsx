import { serverClock } from "../api/server-clock.ts";
import type { Series } from "../api/types.ts";
import { count, plural } from "../format/number.ts";
import { ago, instant, span } from "../format/time.ts";
import { pointsWithin } from "./plot-data.ts";
import type { ChartHistory } from "./use-history.ts";
import type { Window } from "./window.ts";

interface Props {
  history: ChartHistory;
  window: Window;
  facts: Series;
}

/** How true the drawing is: its resolution, its freshness, its gaps, and where it was cut. */
export function ChartFoot({ history, window, facts }: Props) {
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
        <Freshness history={history} window={window} facts={facts} />
      </Item>
      <Item name="Journal">{watermark(history)}</Item>
    </div>
  );
}

function Freshness({ history, window, facts }: Props) {
  const lastUs = Math.max(facts.last_ts ?? 0, history.newest?.ts ?? 0);
  if (lastUs === 0) return <>no readings yet</>;
  const heard = ago(lastUs, serverClock.nowUs());
  if (!window.follows)
    return (
      <>
        last reading {instant(lastUs)} ({heard})
      </>
    );
  const words = {
    open: "live",
    connecting: "connecting",
    lost: "live feed lost, retrying",
    off: "",
  };
  return (
    <>
      <span class={`live-lamp ${history.live}`} aria-hidden="true" />
      {words[history.live]}, last reading {heard}
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
  return `${span(answer.bucket_us)} buckets, mean in its min–max band`;
}

function watermark(history: ChartHistory): string {
  const mark = history.answer?.history.watermark;
  if (!mark) return "–";
  const tail = mark.journal - mark.lake;
  const place = `to block ${count(mark.journal)}`;
  return tail > 0 ? `${place}, ${count(tail)} ahead of the lake` : `${place}, all in the lake`;
}
