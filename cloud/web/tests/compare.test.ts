import assert from "node:assert/strict";
import { test } from "node:test";
import type { Series } from "../src/api/types.ts";
import { align, rowAt } from "../src/chart/align.ts";
import { PLAIN_CHART } from "../src/chart/chart-address.ts";
import { panelsOf } from "../src/chart/panels.ts";
import { NO_DATA, type PlotData } from "../src/chart/plot-data.ts";
import { formatHash, parseHash, type Route } from "../src/route.ts";

function line(x: number[], mid: (number | null)[], bucketUs: number | null = null): PlotData {
  const none = mid.map(() => null);
  return { ...NO_DATA, x, mid, min: none, max: none, count: none, text: none, bucketUs };
}

function series(id: string, unit: string, kind = "gauge"): Series {
  const told = { first_ts: 0, last_ts: 1, last_value: 1, readings: 1, anomalies: 0 };
  return {
    id,
    unit,
    kind,
    gateway: "g",
    device: "d",
    metric: id,
    labels: {},
    last_text: null,
    ...told,
  };
}

test("lines on one axis keep their own points and breaks", () => {
  const { x, columns } = align([line([1, 3, 3, 5], [1, 2, null, 3]), line([2, 3, 6], [7, 8, 9])]);
  assert.deepEqual(x, [1, 2, 3, 3, 5, 6]);
  assert.deepEqual(columns[0], [1, undefined, 2, null, 3, undefined]);
  assert.deepEqual(columns[3], [undefined, 7, 8, undefined, undefined, 9]);
  assert.equal(columns.length, 6);
});

test("a line alone is not copied, and no line is an empty axis", () => {
  const one = line([1, 2], [3, 4]);
  assert.equal(align([one]).x, one.x);
  assert.deepEqual(align([]), { x: [], columns: [] });
});

test("a bucket stands for its width and a reading for the time to its neighbours", () => {
  const buckets = line([10, 20, 60], [1, 2, 3], 10_000);
  assert.equal(rowAt(buckets, 14_000), 0);
  assert.equal(rowAt(buckets, 40_000), undefined);
  const raw = line([10, 20, 20, 60, 70], [1, 2, null, 3, 4]);
  assert.equal(rowAt(raw, 14_000), 0);
  assert.equal(rowAt(raw, 22_000), 1);
  assert.equal(rowAt(raw, 40_000), undefined);
  assert.equal(rowAt(raw, 66_000), 4);
});

test("two units share a plot, a third begins the next, states stand alone", () => {
  const all = [
    series("a", "bar"),
    series("b", "°C"),
    series("c", "m"),
    series("d", "bar"),
    series("e", "", "state"),
  ];
  const shown = panelsOf(all, "compare");
  assert.deepEqual(
    shown.map((one) => one.key),
    ["a b d", "c", "e"],
  );
  assert.deepEqual(
    shown[0]?.lines.map((one) => [one.colour, one.axis]),
    [
      [0, "y"],
      [1, "y2"],
      [3, "y"],
    ],
  );
  assert.equal(shown[2]?.bars, true);
  assert.equal(panelsOf(all, "stack").length, 5);
});

test("all that a chart shows survives its own address, and nonsense in it is no crash", () => {
  const chart = {
    ...PLAIN_CHART,
    others: ["00000000000000b2", "00000000000000c3"],
    layout: "stack",
    zone: "site",
    every: true,
    withoutBad: true,
    side: "marks",
    episode: "0123456789abcdef0123456789abcdef",
  } as const;
  const place = { gateway: "g", device: "d", series: "00000000000000a1" };
  const route: Route = { view: "series", ...place, range: { kind: "all" }, chart };
  assert.deepEqual(parseHash(formatHash(route)), route);
  const odd = "&with=x,00000000000000a1&layout=pile&zone=mars&detail=&episode=1&side=top";
  const plain = formatHash({ view: "series", ...place, range: { kind: "all" } });
  assert.equal(formatHash(parseHash(plain + odd)), plain);
});
