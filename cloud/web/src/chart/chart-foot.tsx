import { serverClock } from "../api/server-clock.ts";
import { count, plural } from "../format/number.ts";
import { ago, MINUTE_US, moment, span } from "../format/time.ts";
import { pointsWithin } from "./plot-data.ts";
import type { Shown } from "./readout.tsx";
import type { ChartHistory } from "./use-histories.ts";
import type { Window } from "./window.ts";

interface Props {
  shown: readonly Shown[];
  window: Window;
  /** When any of the series was last heard. */
  lastUs: number | null;
}

/** How true the drawing is: its resolution, its freshness, its gaps, and where it was cut. */
export function ChartFoot({ shown, window, lastUs }: Props) {
  const histories = shown.map((one) => one.history);
  const points = histories.reduce(
    (n, one) => n + pointsWithin(one.data, window.fromUs, window.toUs),
    0,
  );
  const gaps = histories
    .flatMap((one) => one.data.gaps)
    .filter(([a, b]) => b > window.fromUs && a < window.toUs);
  const raw = histories.every((one) => one.data.bucketUs === null);
  const cut = histories.some((one) => one.answer?.readingsCut);
  return (
    <div class="chart-foot" data-testid="chart-foot">
      <Item name="Resolution">
        {[...new Set(histories.map(resolutionName))].map((name, i) => (
          <span key={name}>
            {i > 0 && "; "}
            {name}
          </span>
        ))}
      </Item>
      <Item name="Drawn">
        {plural(points, raw ? "reading" : shown.length > 1 ? "point" : "bucket")}
        {gaps.length > 0 && `, ${plural(gaps.length, "gap")}`}
        {cut && ", cut: zoom in for the rest"}
      </Item>
      <Item name="Freshness">
        <Freshness live={histories[0]?.live ?? "off"} window={window} lastUs={lastUs} />
        <Quietest shown={shown} lastUs={lastUs} />
      </Item>
      <Item name="Journal">{watermark(histories[0])}</Item>
    </div>
  );
}

interface FreshProps {
  live: ChartHistory["live"];
  window: Window;
  lastUs: number | null;
}

function Freshness({ live, window, lastUs }: FreshProps) {
  if (lastUs === null) return <>no readings yet</>;
  const heard = ago(lastUs, serverClock.nowUs());
  const last = window.edge === "present" ? heard : `${moment(lastUs)}, ${heard}`;
  if (live === "off") return <>last reading {last}</>;
  const words = {
    open: "follows live",
    connecting: "connecting",
    lost: "live feed lost, retrying",
  };
  return (
    <>
      <span class={`live-lamp ${live}`} aria-hidden="true" />
      {words[live]}, last reading {last}
    </>
  );
}

/** Of several series the one that has been silent longest, where that is longer than the others. */
function Quietest({ shown, lastUs }: { shown: readonly Shown[]; lastUs: number | null }) {
  const heard = shown.map(({ facts }) => facts).filter((one) => one.last_ts !== null);
  const [quietest] = heard.sort((a, b) => (a.last_ts ?? 0) - (b.last_ts ?? 0));
  if (shown.length < 2 || lastUs === null || !quietest?.last_ts) return null;
  if (lastUs - quietest.last_ts < MINUTE_US) return null;
  return (
    <>
      , of {quietest.metric} {ago(quietest.last_ts, serverClock.nowUs())}
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
  if (history.answer?.question.bars) return "every change of state";
  if (answer.bucket_us === null) return "raw readings";
  return `${span(answer.bucket_us)} buckets: mean, min to max`;
}

function watermark(history: ChartHistory | undefined): string {
  const mark = history?.answer?.history.watermark;
  if (!mark) return "–";
  const tail = mark.journal - mark.lake;
  const place = `to block ${count(mark.journal)}`;
  return tail > 0 ? `${place}, ${count(tail)} ahead of the lake` : `${place}, all in the lake`;
}
