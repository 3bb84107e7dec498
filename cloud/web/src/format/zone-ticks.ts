import type { Zone } from "./zone.ts";

const DAY_MS = 86_400_000;
/** As the axis counts them when it chooses a step. */
const MONTH_MS = 30 * DAY_MS;
const YEAR_MS = 365 * DAY_MS;
/** An axis has a few dozen; this only bounds a step that does not fit its range. */
const TICKS_MAX = 1_000;

/**
 * Where a time axis is divided: on round times of a zone's clocks, also across their change.
 *
 * @param stepMs what the axis chose: below a day a part of one, then days, months of 30, years of 365
 */
export function zoneTicks(fromMs: number, toMs: number, stepMs: number, zone: Zone): number[] {
  if (!(toMs > fromMs) || !(stepMs > 0)) return [];
  if (stepMs >= DAY_MS) return calendarTicks(fromMs, toMs, stepMs, zone);
  const ticks: number[] = [];
  let at = fromMs - 2 * stepMs;
  while (ticks.length < TICKS_MAX) {
    at = nextTick(at, stepMs, zone);
    if (at > toMs) break;
    if (at >= fromMs) ticks.push(at);
  }
  return ticks;
}

/** The next instant at which the clocks show a multiple of the step. */
function nextTick(ms: number, stepMs: number, zone: Zone): number {
  const offset = zone.offsetMs(ms);
  const next = ms + stepMs - modulo(ms + offset, stepMs);
  const turned = zone.offsetMs(next) - offset;
  if (turned === 0 || modulo(next + offset + turned, stepMs) === 0) return next;
  const shifted = next - turned;
  // The clocks passed over the round time: the one behind it is next.
  return zone.offsetMs(shifted) === offset + turned ? shifted : next + stepMs - turned;
}

function modulo(a: number, b: number): number {
  return ((a % b) + b) % b;
}

function calendarTicks(fromMs: number, toMs: number, stepMs: number, zone: Zone): number[] {
  const ticks: number[] = [];
  const first = zone.wall(fromMs);
  let month = first.getUTCFullYear() * 12 + first.getUTCMonth() - 1;
  const months = monthsOf(stepMs);
  if (months > 0) month = Math.floor(month / months) * months;
  for (; ticks.length < TICKS_MAX; month += Math.max(months, 1)) {
    const days = months > 0 ? [1] : daysOf(month, stepMs);
    for (const day of days) {
      const at = zone.instantMs(wallMs(month, day));
      if (at > toMs) return ticks;
      if (at >= fromMs) ticks.push(at);
    }
  }
  return ticks;
}

function monthsOf(stepMs: number): number {
  if (stepMs >= YEAR_MS) return 12 * Math.max(Math.round(stepMs / YEAR_MS), 1);
  return stepMs >= 28 * DAY_MS ? Math.max(Math.round(stepMs / MONTH_MS), 1) : 0;
}

/** Each nth day of a month from its first on; none so near the next first that labels would touch. */
function daysOf(month: number, stepMs: number): number[] {
  const step = Math.max(Math.round(stepMs / DAY_MS), 1);
  const last = new Date(Date.UTC(2000, 0, 1));
  last.setUTCFullYear(Math.floor(month / 12), modulo(month, 12) + 1, 0);
  const length = last.getUTCDate();
  const days = [1];
  for (let day = 1 + step; day <= length + 1 - Math.ceil(0.75 * step); day += step) days.push(day);
  return days.filter((day) => day <= length);
}

function wallMs(month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(Math.floor(month / 12), modulo(month, 12), day);
  return date.getTime();
}
