import type { Anomaly } from "../api/types.ts";

/** Anomalies too close on the screen to be told apart: one marker, led by the highest score. */
export interface Cluster {
  /** Pixels from the left edge of the plot. */
  x: number;
  lead: Anomaly;
  members: Anomaly[];
}

/** Group anomalies whose markers would overlap. `xOf` maps µs to pixels; those outside are left out. */
export function clusterMarkers(
  anomalies: readonly Anomaly[],
  xOf: (us: number) => number,
  widthPx: number,
  apartPx: number,
): Cluster[] {
  const placed = anomalies
    .map((anomaly) => ({ anomaly, x: xOf(anomaly.ts) }))
    .filter(({ x }) => x >= 0 && x <= widthPx)
    .sort((a, b) => a.x - b.x);
  const clusters: Cluster[] = [];
  let startPx = Number.NEGATIVE_INFINITY;
  for (const { anomaly, x } of placed) {
    const open = clusters.at(-1);
    if (open && x - startPx < apartPx) {
      open.members.push(anomaly);
      if (anomaly.score > open.lead.score) {
        open.lead = anomaly;
        open.x = x;
      }
    } else {
      clusters.push({ x, lead: anomaly, members: [anomaly] });
      startPx = x;
    }
  }
  return clusters;
}
