import { shownZone } from "./zone.ts";

export const SECOND_US = 1_000_000;
export const MINUTE_US = 60 * SECOND_US;
export const HOUR_US = 60 * MINUTE_US;
export const DAY_US = 24 * HOUR_US;

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Short English month name of a clock on the wall (`Zone.wall`). */
export function monthName(wall: Date): string {
  return MONTHS[wall.getUTCMonth()] ?? "";
}

/** Date and time in the shown zone; as fine as `stepUs` (from neighbour to neighbour) is worth. */
export function instant(us: number, stepUs = SECOND_US): string {
  const wall = shownZone.zone.wall(us / 1000);
  const day = `${wall.getUTCDate()} ${monthName(wall)} ${wall.getUTCFullYear()}`;
  return stepUs >= DAY_US ? day : `${day} ${clockTime(us, stepUs)}`;
}

/** One moment, no finer than it is itself: seconds and milliseconds only where it has any. */
export function moment(us: number): string {
  if (us % MINUTE_US === 0) return instant(us, MINUTE_US);
  return instant(us, us % SECOND_US === 0 ? SECOND_US : SECOND_US / 1000);
}

/** Time of day in the shown zone, with seconds below a minute's step, milliseconds below a second's. */
export function clockTime(us: number, stepUs = SECOND_US): string {
  const wall = shownZone.zone.wall(us / 1000);
  let text = `${two(wall.getUTCHours())}:${two(wall.getUTCMinutes())}`;
  if (stepUs < MINUTE_US) text += `:${two(wall.getUTCSeconds())}`;
  if (stepUs < SECOND_US) text += `.${String(wall.getUTCMilliseconds()).padStart(3, "0")}`;
  return text;
}

/** A length of time in its two largest units: `3 h 20 min`. */
export function span(us: number): string {
  const size = Math.abs(us);
  if (size < 1000) return `${Math.round(size)} µs`;
  if (size < SECOND_US) return `${Math.round(size / 1000)} ms`;
  const steps: [number, string][] = [
    [365 * DAY_US, "y"],
    [DAY_US, "d"],
    [HOUR_US, "h"],
    [MINUTE_US, "min"],
    [SECOND_US, "s"],
  ];
  const top = steps.findIndex(([unit]) => size >= unit);
  const [unit, name] = steps[top] ?? [SECOND_US, "s"];
  const whole = Math.floor(size / unit);
  const [lower, lowerName] = steps[top + 1] ?? [0, ""];
  const rest = lower ? Math.floor((size - whole * unit) / lower) : 0;
  return rest && whole < 20 ? `${whole} ${name} ${rest} ${lowerName}` : `${whole} ${name}`;
}

/** How long ago, in one unit; a moment in the future says so. */
export function ago(us: number, nowUs: number): string {
  const age = nowUs - us;
  if (age < -5 * SECOND_US) return `${oneUnit(-age)} ahead`;
  if (age < 2 * SECOND_US) return "now";
  return `${oneUnit(age)} ago`;
}

/** A length of time in its largest unit only. */
export function oneUnit(us: number): string {
  return span(us).split(" ").slice(0, 2).join(" ");
}

/** ISO 8601 in UTC, with as many decimals as the microseconds need. */
export function isoFromUs(us: number): string {
  const whole = Math.floor(us / SECOND_US);
  const micros = us - whole * SECOND_US;
  const fraction = micros ? `.${String(micros).padStart(6, "0").replace(/0+$/, "")}` : "";
  return new Date(whole * 1000).toISOString().replace(".000Z", `${fraction}Z`);
}

/** Microseconds of an ISO 8601 instant or of plain microseconds; undefined when it is neither. */
export function usFromIso(text: string): number | undefined {
  if (/^-?\d+$/.test(text)) return Number(text);
  const match = /^([^.]+?)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const ms = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(ms)) return undefined;
  return ms * 1000 + Number((match[2] ?? "0").padEnd(6, "0"));
}

/** Name of the zone that times are shown in. */
export function zoneName(): string {
  return shownZone.zone.name;
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}
