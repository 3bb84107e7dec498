import type { Series } from "../api/types.ts";
import { DAY_US } from "../format/time.ts";
import { MetricRow } from "./metric-row.tsx";
import { sparkStretch, useSparks } from "./use-sparks.ts";

interface Props {
  caption: string;
  series: readonly Series[];
  nowUs: number;
  /** Whether rows name the device beside the metric. */
  devices?: boolean;
}

/** Series with their latest value and their last day. */
export function MetricTable({ caption, series, nowUs, devices = false }: Props) {
  const stretch = sparkStretch(series);
  const sparks = useSparks(series, stretch);
  const young = stretch.toUs - stretch.fromUs < DAY_US;
  return (
    <div class="table-frame">
      <table class="metrics" data-testid="metrics">
        <caption class="sr">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">{devices ? "Series" : "Metric"}</th>
            <th scope="col" class="num">
              Latest
            </th>
            <th scope="col">{young ? "So far" : "Last 24 h"}</th>
            <th scope="col">Last reading</th>
            <th scope="col" class="num">
              Readings
            </th>
            <th scope="col" class="num">
              Anomalies
            </th>
          </tr>
        </thead>
        <tbody>
          {series.map((one) => (
            <MetricRow
              key={one.id}
              series={one}
              spark={sparks?.get(one.id)}
              nowUs={nowUs}
              withDevice={devices}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}
