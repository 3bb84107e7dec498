import { clockTime, DAY_US, monthName } from "./time.ts";
import { shownZone } from "./zone.ts";

const DAY_MS = DAY_US / 1000;
const MONTH_MS = 28 * DAY_MS;
const YEAR_MS = 365 * DAY_MS;

/**
 * Labels under a time axis: the fine part on each tick, the coarse part (day, year) below it only
 * where it changes, so that every instant can be read without repeating the date at each tick.
 * Where the clocks change between two ticks of one day, the new distance from UTC stands below.
 *
 * @param splitsMs tick positions, ascending, milliseconds since 1970
 * @param stepMs distance between two ticks
 */
export function axisLabels(splitsMs: readonly number[], stepMs: number): string[] {
  const { zone } = shownZone;
  let shown = "";
  return splitsMs.map((ms, i) => {
    const wall = zone.wall(ms);
    const label = fine(ms, wall, stepMs);
    const before = splitsMs[i - 1];
    const changed = before !== undefined && zone.offsetMs(before) !== zone.offsetMs(ms);
    const below = coarse(wall, stepMs);
    if (changed && stepMs < DAY_MS) {
      shown = below;
      return `${label}\n${zone.offsetName(ms)}`;
    }
    if (below === shown || below === label) return label;
    shown = below;
    return `${label}\n${below}`;
  });
}

function fine(ms: number, wall: Date, stepMs: number): string {
  if (stepMs < DAY_MS) return clockTime(ms * 1000, stepMs * 1000);
  if (stepMs < MONTH_MS) return `${wall.getUTCDate()} ${monthName(wall)}`;
  if (stepMs < YEAR_MS) return monthName(wall);
  return String(wall.getUTCFullYear());
}

function coarse(wall: Date, stepMs: number): string {
  const year = String(wall.getUTCFullYear());
  return stepMs < DAY_MS ? `${wall.getUTCDate()} ${monthName(wall)} ${year}` : year;
}
