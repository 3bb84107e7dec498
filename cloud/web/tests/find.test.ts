import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, toggled } from "../src/choice.ts";
import { fieldsInUse, findParams } from "../src/series/find-query.ts";
import { rowsAt } from "../src/series/rows-at.ts";

test("an address becomes the server's search, and what is nonsense in it is left out", () => {
  assert.deepEqual(asked({}), {});
  assert.deepEqual(asked({ q: "temp", match: "*/p?", labels: "room:hall", unit: "°C" }), {
    q: "temp",
    match: "*/p?",
    labels: "room:hall",
    unit: "°C",
  });
  assert.deepEqual(asked({ kind: "state,gauge,nonsense" }), { kind: "gauge,state" });
  assert.deepEqual(asked({ kind: "gauge,counter,state" }), {}, "all kinds are no filter");
  assert.deepEqual(asked({ stale: "silent-3600" }), { silent_s: "3600" });
  assert.deepEqual(asked({ stale: "heard-60" }), { heard_s: "60" });
  assert.deepEqual(asked({ stale: "silent-1h", retired: "maybe" }), {});
  assert.deepEqual(asked({ retired: "only" }), { retired: "only" });
  assert.equal(fieldsInUse({ q: "a", unit: "V", stale: "heard-60" }), 2);
});

function asked(choice: Record<string, string>) {
  return Object.fromEntries(Object.entries(findParams(choice)).filter(([, value]) => value));
}

test("a list in an address has each name once, and loses it when it is chosen again", () => {
  assert.equal(toggled({}, "kind", "gauge"), "gauge");
  assert.equal(toggled({ kind: "gauge" }, "kind", "state"), "gauge,state");
  assert.equal(toggled({ kind: "gauge,state" }, "kind", "gauge"), "state");
  assert.deepEqual([...chosen({ kind: "a,,b" }, "kind")], ["a", "b"]);
});

test("of a long list only the rows on the screen are drawn, and a few beyond", () => {
  assert.deepEqual(rowsAt(0, 800, 100_000, 50), { from: 0, to: 24 });
  assert.deepEqual(rowsAt(50_000, 800, 100_000, 50), { from: 992, to: 1_024 });
  assert.deepEqual(rowsAt(9_000_000, 800, 1_000, 50), { from: 1_000, to: 1_000 });
  assert.deepEqual(rowsAt(-400, 800, 5, 50), { from: 0, to: 5 });
});
