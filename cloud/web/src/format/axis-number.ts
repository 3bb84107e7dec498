import { measure } from "./number.ts";

const DECIMALS_MAX = 6;

/** Labels beside a value axis: all with the decimals that the step between them needs. */
export function axisNumbers(splits: readonly number[], step: number): string[] {
  const decimals = Number(step.toPrecision(6)).toString().split(".")[1]?.length ?? 0;
  const largest = splits.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  if (decimals > DECIMALS_MAX || step < 10 ** -DECIMALS_MAX || largest >= 1e9)
    return splits.map(measure);
  const format = new Intl.NumberFormat("en", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return splits.map((v) => format.format(v).replace("-", "−"));
}
