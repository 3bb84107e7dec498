import assert from "node:assert/strict";
import { test } from "node:test";
import { axisLabels } from "../src/format/axis-time.ts";
import { shownZone, Zone } from "../src/format/zone.ts";
import { zoneTicks } from "../src/format/zone-ticks.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BERLIN = new Zone("Europe/Berlin");
/** Clocks go on from 02:00 to 03:00 on 29 March 2026, and back on 25 October. */
const SPRING = Date.UTC(2026, 2, 29, 1);
const AUTUMN = Date.UTC(2026, 9, 25, 1);

function clocks(ticks: number[], zone = BERLIN): string[] {
  return ticks.map((ms) => zone.wall(ms).toISOString().slice(5, 16).replace("T", " "));
}

test("a zone knows its distance from UTC on both sides of a change", () => {
  assert.equal(BERLIN.offsetMs(SPRING - 1), HOUR);
  assert.equal(BERLIN.offsetMs(SPRING), 2 * HOUR);
  assert.equal(BERLIN.offsetName(AUTUMN), "UTC+1");
  assert.equal(new Zone("Asia/Kathmandu").offsetName(0), "UTC+5:30");
  assert.equal(new Zone("UTC").offsetMs(SPRING), 0);
  assert.throws(() => new Zone("Mars/Olympus"), RangeError);
});

test("an instant is found by the clock on the wall, also where there are two or none", () => {
  for (const ms of [SPRING - HOUR, SPRING, AUTUMN - 2 * HOUR, AUTUMN + HOUR]) {
    assert.equal(BERLIN.instantMs(ms + BERLIN.offsetMs(ms)), ms);
  }
  assert.equal(BERLIN.instantMs(Date.UTC(2026, 9, 25, 2, 30)), AUTUMN - HOUR / 2);
  assert.equal(BERLIN.instantMs(Date.UTC(2026, 2, 29, 2, 30)), SPRING + HOUR / 2);
});

test("ticks of hours stay on round clock times over a change", () => {
  const spring = zoneTicks(SPRING - 7 * HOUR, SPRING + 12 * HOUR, 6 * HOUR, BERLIN);
  assert.deepEqual(clocks(spring), ["03-29 00:00", "03-29 06:00", "03-29 12:00"]);
  const even = zoneTicks(SPRING - 2 * HOUR, SPRING + 4 * HOUR, 2 * HOUR, BERLIN);
  assert.deepEqual(clocks(even), ["03-29 00:00", "03-29 04:00", "03-29 06:00"]);
  const autumn = zoneTicks(AUTUMN - 4 * HOUR, AUTUMN + 8 * HOUR, 3 * HOUR, BERLIN);
  assert.deepEqual(clocks(autumn), ["10-25 00:00", "10-25 03:00", "10-25 06:00", "10-25 09:00"]);
});

test("the hour that comes twice has two ticks, and the second says its distance from UTC", () => {
  const ticks = zoneTicks(AUTUMN - 2 * HOUR, AUTUMN + HOUR, HOUR, BERLIN);
  assert.deepEqual(
    ticks,
    [-2, -1, 0, 1].map((n) => AUTUMN + n * HOUR),
  );
  shownZone.learn("Europe/Berlin");
  shownZone.choose("site");
  assert.deepEqual(axisLabels(ticks, HOUR), [
    "01:00\n25 Oct 2026",
    "02:00",
    "02:00\nUTC+1",
    "03:00",
  ]);
  shownZone.choose("local");
});

test("ticks of days and months stand on local midnights", () => {
  const days = zoneTicks(SPRING - 2 * DAY, SPRING + 3 * DAY, DAY, BERLIN);
  assert.deepEqual(clocks(days), [
    "03-28 00:00",
    "03-29 00:00",
    "03-30 00:00",
    "03-31 00:00",
    "04-01 00:00",
  ]);
  const months = zoneTicks(Date.UTC(2026, 0, 5), Date.UTC(2026, 11, 30), 90 * DAY, BERLIN);
  assert.deepEqual(clocks(months), ["04-01 00:00", "07-01 00:00", "10-01 00:00"]);
  const years = zoneTicks(Date.UTC(2019, 0, 5), Date.UTC(2025, 5, 1), 2 * 365 * DAY, BERLIN);
  assert.deepEqual(
    years.map((ms) => BERLIN.wall(ms).getUTCFullYear()),
    [2020, 2022, 2024],
  );
  const week = zoneTicks(Date.UTC(2026, 0, 25), Date.UTC(2026, 1, 12), 5 * DAY, new Zone("UTC"));
  assert.deepEqual(
    week.map((ms) => new Date(ms).getUTCDate()),
    [26, 1, 6, 11],
  );
});

test("seconds and an impossible step have an end", () => {
  const fine = zoneTicks(1_000, 1_500, 100, BERLIN);
  assert.deepEqual(fine, [1_000, 1_100, 1_200, 1_300, 1_400, 1_500]);
  assert.deepEqual(zoneTicks(5, 1, 100, BERLIN), []);
  assert.equal(zoneTicks(0, 1e12, 1, BERLIN).length, 1_000);
});
