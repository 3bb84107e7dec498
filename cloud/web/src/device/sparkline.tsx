import type { PlotData } from "../chart/plot-data.ts";
import { sparkPaths } from "./spark-paths.ts";

export interface Spark {
  data: PlotData;
  fromUs: number;
  toUs: number;
}

const WIDTH = 180;
const HEIGHT = 36;

/** A day in a small picture: band and line, broken where there is no data. */
export function Sparkline({ spark }: { spark: Spark }) {
  const paths = sparkPaths(spark.data, spark.fromUs / 1000, spark.toUs / 1000, WIDTH, HEIGHT);
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path class="spark-base" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
      <path class="spark-band" d={paths.band} />
      <path class="spark-line" d={paths.line} />
    </svg>
  );
}
