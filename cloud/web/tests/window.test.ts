import assert from "node:assert/strict";
import { test } from "node:test";
import { fixed, pan, resolve, SPAN_US_MIN, toRange, zoom } from "../src/chart/window.ts";

const HOUR = 3_600_000_000;
const NOW = 1_800_000_000_000_000;

test("a series heard within the span is followed to the present", () => {
  const window = resolve({ kind: "last", spanUs: HOUR }, { firstUs: 0, lastUs: NOW - 5 }, NOW);
  assert.deepEqual(window, { fromUs: NOW - HOUR, toUs: NOW, edge: "present" });
});

test("a silent series shows what it last said, not emptiness", () => {
  const lastUs = NOW - 500 * HOUR;
  const window = resolve({ kind: "last", spanUs: HOUR }, { firstUs: 0, lastUs }, NOW);
  assert.equal(window.edge, "reading");
  assert.ok(window.fromUs < lastUs && lastUs < window.toUs);
  assert.equal(window.toUs - window.fromUs, HOUR);
});

test("a reading from a clock far ahead is in sight and not taken for the present", () => {
  const lastUs = NOW + 900 * HOUR;
  const window = resolve({ kind: "last", spanUs: HOUR }, { firstUs: 0, lastUs }, NOW);
  assert.equal(window.edge, "reading");
  assert.ok(window.toUs > lastUs);
});

test("all runs from the first reading to the last", () => {
  const extent = { firstUs: NOW - 900 * HOUR, lastUs: NOW - 400 * HOUR };
  const window = resolve({ kind: "all" }, extent, NOW);
  assert.ok(window.fromUs < extent.firstUs && window.toUs > extent.lastUs);
});

test("zooming keeps the instant under the hand where it is", () => {
  const before = fixed(NOW, NOW + 100 * HOUR);
  const anchor = NOW + 30 * HOUR;
  const after = zoom(before, 0.1, anchor);
  assert.ok(Math.abs((anchor - after.fromUs) / (after.toUs - after.fromUs) - 0.3) < 1e-6);
  assert.ok(Math.abs(after.toUs - after.fromUs - 10 * HOUR) <= 2);
});

test("zooming in ends at the closest look and moving keeps the span", () => {
  let window = fixed(NOW, NOW + HOUR);
  for (let i = 0; i < 100; i++) window = zoom(window, 0.5, NOW + 7);
  assert.ok(window.toUs - window.fromUs <= SPAN_US_MIN + 2);
  const later = pan(fixed(NOW, NOW + HOUR), 0.5);
  assert.deepEqual(later, { fromUs: NOW + HOUR / 2, toUs: NOW + 1.5 * HOUR, edge: "still" });
});

test("a window that reaches the present goes on following it, an older one stands still", () => {
  const extent = { firstUs: 0, lastUs: NOW - 1_000 };
  assert.deepEqual(toRange(fixed(NOW - HOUR, NOW - 1), extent, NOW), {
    kind: "last",
    spanUs: HOUR,
  });
  const old = fixed(NOW - 3 * HOUR, NOW - 2 * HOUR);
  assert.equal(toRange(old, extent, NOW).kind, "fixed");
  const ahead = fixed(NOW + HOUR, NOW + 2 * HOUR);
  assert.equal(toRange(ahead, extent, NOW).kind, "fixed");
});
