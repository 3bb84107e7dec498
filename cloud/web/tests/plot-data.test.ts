import assert from "node:assert/strict";
import { test } from "node:test";
import type { BucketHistory, RawHistory } from "../src/api/types.ts";
import { appendRaw, longestStep, plotData, pointsWithin } from "../src/chart/plot-data.ts";

const S = 1_000_000;
const frame = { from: 0, to: 100 * S, watermark: { journal: 1, lake: 1 }, next: null };

function raw(t: number[]): RawHistory {
  const track = { id: "a", t, v: t.map((at) => at / S), quality: t.map(() => 0) };
  return { ...frame, resolution: "raw", bucket_us: null, series: [track] };
}

function buckets(t: number[]): BucketHistory {
  const same = t.map(() => 1);
  const track = {
    id: "a",
    t,
    count: same,
    mean: same,
    min: same,
    max: same,
    first: same,
    last: same,
  };
  return { ...frame, resolution: "1m", bucket_us: 10 * S, series: [track] };
}

test("an absent bucket breaks the line and is a gap from edge to edge", () => {
  const data = plotData(buckets([0, 10 * S, 40 * S]), "a");
  assert.deepEqual(data.mid, [1, 1, null, 1]);
  assert.deepEqual(data.gaps, [[20 * S, 40 * S]]);
  assert.deepEqual(data.x, [5_000, 15_000, 25_000, 45_000]);
});

test("buckets finer than the cadence are no gaps, a real one among them is", () => {
  const t = [0, 60, 120, 180, 600, 660, 720].map((s) => s * S);
  const data = plotData(buckets(t), "a");
  assert.deepEqual(data.gaps, [[190 * S, 600 * S]]);
});

test("raw readings break where three of their own steps are missing", () => {
  const t = [...Array(40).keys()].map((i) => i * S).filter((at) => at < 10 * S || at > 16 * S);
  const data = plotData(raw(t), "a");
  assert.deepEqual(data.gaps, [[9 * S, 17 * S]]);
  assert.equal(data.mid.filter((v) => v === null).length, 1);
  assert.equal(pointsWithin(data, 0, 100 * S), t.length);
});

test("a jittered cadence has no gaps", () => {
  const t = [...Array(200).keys()].map((i) => i * S + (i % 7) * 90_000);
  assert.deepEqual(plotData(raw(t), "a").gaps, []);
});

test("two readings are no cadence", () => {
  assert.equal(longestStep([0, 5]), Number.POSITIVE_INFINITY);
  assert.equal(longestStep([5, 5, 5, 5]), Number.POSITIVE_INFINITY);
});

test("a series the answer does not hold is drawn empty", () => {
  assert.deepEqual(plotData(raw([1]), "b").x, []);
  assert.deepEqual(plotData(buckets([1]), "b").x, []);
});

test("texts are kept beside the line they cannot be part of", () => {
  const history = raw([S, 2 * S]);
  const [track] = history.series;
  assert.ok(track);
  Object.assign(track, { v: [null, null], text: ["open", "shut"] });
  const data = plotData(history, "a");
  assert.deepEqual(data.text, ["open", "shut"]);
  assert.deepEqual(data.mid, [null, null]);
});

test("a live reading that history already holds is not drawn twice", () => {
  const track = { id: "a", t: [1, 2, 3], v: [1, 2, 3], quality: [0, 0, 0] };
  const grown = appendRaw(track, [2, 3, 4], [2, 3, 4]);
  assert.deepEqual(grown.t, [1, 2, 3, 4]);
  assert.deepEqual(grown.quality, [0, 0, 0, 0]);
  assert.equal(appendRaw(track, [1], [1]), track);
});
