import type { Series } from "../api/types.ts";
import { firstLook } from "../device/first-look.ts";
import { type Spark, Sparkline } from "../device/sparkline.tsx";
import { measure, shortCount } from "../format/number.ts";
import { ago } from "../format/time.ts";
import { formatHash } from "../route.ts";

interface Props {
  series: Series;
  /** Its place among those found, from 0. */
  at: number;
  spark: Spark | undefined;
  nowUs: number;
}

/** One series found; as high as every other, whatever its names. */
export function SeriesRow({ series, at, spark, nowUs }: Props) {
  const { gateway, device, metric, id } = series;
  const range = firstLook(series, nowUs);
  const labels = Object.entries(series.labels).map(([name, label]) => `${name} ${label}`);
  const whole = `${gateway}/${device}/${metric}`;
  return (
    <tr data-at={at} aria-rowindex={at + 2} data-testid="found-row" data-series={id}>
      <th scope="row" title={[whole, ...labels].join("\n")}>
        <a
          class="row-name"
          href={formatHash({ view: "series", gateway, device, series: id, range })}
          aria-label={`${metric}, ${device}, ${gateway}`}
        >
          {metric}
        </a>
        <span class="sub">
          {gateway} / {device}
          {labels.length > 0 && ` · ${labels.join(", ")}`}
        </span>
      </th>
      <td data-label="Latest" class="num">
        <span class="found-value">{series.last_text ?? measure(series.last_value)}</span>{" "}
        <span class="quiet">{series.unit}</span>
        {series.kind !== "gauge" && <span class="sub">{series.kind}</span>}
      </td>
      <td class="found-spark">{spark && <Sparkline spark={spark} />}</td>
      <td data-label="Last reading">
        {series.last_ts === null ? "none" : ago(series.last_ts, nowUs)}
      </td>
      <td data-label="Readings" class="num">
        {shortCount(series.readings)}
      </td>
    </tr>
  );
}
