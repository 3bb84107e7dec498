import assert from "node:assert/strict";
import { test } from "node:test";
import { axisNumbers } from "../src/format/axis-number.ts";
import { axisLabels } from "../src/format/axis-time.ts";
import { bytes, measure, rough } from "../src/format/number.ts";
import { ago, isoFromUs, span, usFromIso } from "../src/format/time.ts";

const HOUR_MS = 3_600_000;

test("an instant survives its own writing to the microsecond", () => {
  for (const us of [0, 1, -1, 1_372_900_000_123_456, 1_372_900_000_100_000]) {
    assert.equal(usFromIso(isoFromUs(us)), us);
  }
  assert.equal(usFromIso("2014-01-01T01:00:00+01:00"), usFromIso("2014-01-01T00:00:00Z"));
  assert.equal(usFromIso("yesterday"), undefined);
});

test("lengths of time are told in at most two units", () => {
  assert.equal(span(90_000_000), "1 min 30 s");
  assert.equal(span(86_400_000_000), "1 d");
  assert.equal(span(300_000), "300 ms");
  assert.equal(ago(0, 3 * 3_600_000_000), "3 h ago");
  assert.equal(ago(3_600_000_000, 0), "1 h ahead");
});

test("values keep six digits and a true minus sign", () => {
  assert.equal(measure(1234.56789), "1,234.57");
  assert.equal(measure(-0.5), "−0.5");
  assert.equal(measure(1.5e12), "1.500e12");
  assert.equal(measure(null), "–");
  assert.equal(rough(0.012345), "0.0123");
  assert.equal(rough(null), "–", "a gateway may say NaN, which JSON has not");
  assert.equal(bytes(1536), "1.5 KiB");
});

test("labels of one axis share their decimals", () => {
  assert.deepEqual(axisNumbers([1.5, 2, 2.5], 0.5), ["1.5", "2.0", "2.5"]);
  assert.deepEqual(axisNumbers([-10, 0], 10), ["−10", "0"]);
});

test("the date stands under a time axis only where it changes", () => {
  const midnight = new Date(2014, 4, 1).getTime();
  const splits = [-6, 0, 6].map((hours) => midnight + hours * HOUR_MS);
  assert.deepEqual(axisLabels(splits, 6 * HOUR_MS), [
    "18:00\n30 Apr 2014",
    "00:00\n1 May 2014",
    "06:00",
  ]);
});
