const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const PLAIN = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A whole number with thousands separators. */
export function count(n: number): string {
  return COUNT.format(n);
}

/** A large count in few characters: 12.3M. */
export function shortCount(n: number): string {
  return n < 100_000 ? COUNT.format(n) : COMPACT.format(n);
}

/** A measured value in at most six significant digits, scientific when that is shorter. */
export function measure(v: number | null | undefined): string {
  if (v === null || v === undefined || Number.isNaN(v)) return "–";
  if (!Number.isFinite(v)) return v > 0 ? "∞" : "−∞";
  const size = Math.abs(v);
  const text =
    size !== 0 && (size < 1e-4 || size >= 1e9)
      ? v.toExponential(3).replace("e+", "e")
      : PLAIN.format(v);
  return text.replace("-", "−");
}

/** A figure for comparing, not for reading off: three significant digits. */
export function rough(v: number | null): string {
  return measure(v === null ? v : Number(v.toPrecision(3)));
}

/** Bytes in binary units. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = n;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size.toFixed(unit === 0 || size >= 100 ? 0 : 1)} ${units[unit]}`;
}

/** `3 devices`, `1 device`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
