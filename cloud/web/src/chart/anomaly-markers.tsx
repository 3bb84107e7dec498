import type { Anomaly } from "../api/types.ts";
import { measure, plural } from "../format/number.ts";
import { moment } from "../format/time.ts";
import { type Cluster, clusterMarkers } from "./marker-clusters.ts";
import type { PlotFrame } from "./plot.ts";

/** Closer than this two markers would be one blot, and one could not be hit. */
const APART_PX = 14;
const TIP_WIDTH_PX = 236;
/** Room around the plot, so that the ring of a reading on its very edge is whole. */
const RIM_PX = 8;

interface Props {
  frame: PlotFrame;
  anomalies: Anomaly[];
  highlight: number | undefined;
  onHighlight(ts: number | undefined): void;
}

/** Anomalies over the canvas: a flag on the top rail, and a ring where the reading is. */
export function AnomalyMarkers({ frame, anomalies, highlight, onHighlight }: Props) {
  const clusters = clusterMarkers(anomalies, frame.xOf, frame.width, APART_PX);
  const open = clusters.find((one) => one.members.some((member) => member.ts === highlight));
  return (
    <div
      class="markers"
      style={{
        left: `${frame.left}px`,
        top: `${frame.top}px`,
        width: `${frame.width}px`,
        height: `${frame.height}px`,
      }}
    >
      <svg
        class="marker-rings"
        width={frame.width + 2 * RIM_PX}
        height={frame.height + 2 * RIM_PX}
        viewBox={`${-RIM_PX} ${-RIM_PX} ${frame.width + 2 * RIM_PX} ${frame.height + 2 * RIM_PX}`}
        style={{ left: `${-RIM_PX}px`, top: `${-RIM_PX}px` }}
        aria-hidden="true"
      >
        {clusters.map((one) => (
          <Ring
            key={`${one.lead.series} ${one.lead.ts}`}
            frame={frame}
            cluster={one}
            lit={one === open}
          />
        ))}
      </svg>
      {clusters.map((one) => (
        <button
          type="button"
          key={`${one.lead.series} ${one.lead.ts}`}
          class="marker"
          style={{ left: `${one.x}px` }}
          data-testid="anomaly-marker"
          data-ts={one.lead.ts}
          data-count={one.members.length}
          aria-label={`${plural(one.members.length, "anomaly", "anomalies")}, ${moment(one.lead.ts)}, score ${measure(one.lead.score)} over threshold ${measure(one.lead.threshold)}`}
          onMouseEnter={() => onHighlight(one.lead.ts)}
          onMouseLeave={() => onHighlight(undefined)}
          onFocus={() => onHighlight(one.lead.ts)}
          onBlur={() => onHighlight(undefined)}
        >
          <span class="marker-flag">{one.members.length > 1 ? one.members.length : ""}</span>
        </button>
      ))}
      {open && <Tip frame={frame} cluster={open} ts={highlight} />}
    </div>
  );
}

function Ring({ frame, cluster, lit }: { frame: PlotFrame; cluster: Cluster; lit: boolean }) {
  const y = frame.yOf(cluster.lead.value, cluster.lead.series);
  return (
    <g class={lit ? "ring lit" : "ring"}>
      <line x1={cluster.x} x2={cluster.x} y1={0} y2={lit ? frame.height : Math.max(y - 6, 0)} />
      {cluster.members.map((one) => (
        <circle
          key={`${one.series} ${one.ts}`}
          cx={frame.xOf(one.ts)}
          cy={frame.yOf(one.value, one.series)}
          r={5}
        />
      ))}
    </g>
  );
}

function Tip({
  frame,
  cluster,
  ts,
}: {
  frame: PlotFrame;
  cluster: Cluster;
  ts: number | undefined;
}) {
  const one = cluster.members.find((member) => member.ts === ts) ?? cluster.lead;
  const left = Math.min(
    Math.max(cluster.x - TIP_WIDTH_PX / 2, 0),
    Math.max(frame.width - TIP_WIDTH_PX, 0),
  );
  return (
    <dl class="tip" data-testid="anomaly-tip" data-ts={one.ts} style={{ left: `${left}px` }}>
      <div class="tip-head">{moment(one.ts)}</div>
      <dt>value</dt>
      <dd>{measure(one.value)}</dd>
      <dt>score</dt>
      <dd class="hot">{measure(one.score)}</dd>
      <dt>threshold</dt>
      <dd>{measure(one.threshold)}</dd>
      <dt>model</dt>
      <dd class="code">{one.model}</dd>
      {cluster.members.length > 1 && (
        <div class="tip-foot">highest of {cluster.members.length} here; zoom in to part them</div>
      )}
    </dl>
  );
}
