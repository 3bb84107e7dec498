import type { Series } from "../api/types.ts";
import { count, measure, shortCount } from "../format/number.ts";
import { ago } from "../format/time.ts";
import { Name } from "../parts/name.tsx";
import { formatHash } from "../route.ts";
import { firstLook } from "./first-look.ts";
import { type Spark, Sparkline } from "./sparkline.tsx";

interface Props {
  series: Series;
  spark: Spark | undefined;
  nowUs: number;
  withDevice: boolean;
}

/** One series of a list. */
export function MetricRow({ series, spark, nowUs, withDevice }: Props) {
  const { gateway, device, id } = series;
  const href = formatHash({
    view: "series",
    gateway,
    device,
    series: id,
    range: firstLook(series, nowUs),
  });
  const labels = Object.entries(series.labels);
  return (
    <tr data-testid="metric-row" data-series={id} data-metric={series.metric}>
      <th scope="row">
        <a class="row-name" href={href}>
          {withDevice && (
            <span class="of-device">
              <Name text={series.device} /> ·{" "}
            </span>
          )}
          {series.metric}
        </a>
        <span class="sub">
          {series.kind}
          {labels.map(([name, label]) => ` · ${name} ${label}`)}
        </span>
      </th>
      <td data-label="Latest" class="num">
        <span class="metric-value">{series.last_text ?? measure(series.last_value)}</span>{" "}
        <span class="quiet">{series.unit}</span>
      </td>
      <td class="spark-cell">
        {spark && series.last_text === null && <Sparkline spark={spark} />}
      </td>
      <td data-label="Last reading">
        {series.last_ts === null ? "none" : ago(series.last_ts, nowUs)}
      </td>
      <td data-label="Readings" class="num">
        {shortCount(series.readings)}
      </td>
      <td data-label="Anomalies" class={series.anomalies ? "num hot" : "num"}>
        {count(series.anomalies)}
      </td>
    </tr>
  );
}
