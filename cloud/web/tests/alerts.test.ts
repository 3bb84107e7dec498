import assert from "node:assert/strict";
import { test } from "node:test";
import { facts, tally } from "../src/alerts/wording.ts";
import type { Standing } from "../src/api/types.ts";

function standing(detail: Standing["detail"], severity: Standing["severity"] = "warning") {
  return { severity, detail } as Standing;
}

test("the facts of each kind of alert are words with their units", () => {
  const told: [Standing["detail"], string][] = [
    [{ silent_s: 300 }, "not heard for 5 min or longer"],
    [{ days: 1.5, share: 0.824 }, "82 % full, full in 1 d 12 h"],
    [{ left_days: 12.25 }, "12 d 6 h left"],
    [{ left_days: -3 }, "it has ended"],
    [{ reason: "evicted", readings: 1 }, "1 reading lost, evicted from a full buffer"],
    [{ anomalies: 12, peak: 9.61, model: "m-1" }, "12 anomalies, highest score 9.61, by m-1"],
    [{ value: -12.5, above: -15, unit: "°C" }, "last reading −12.5 °C, limit −15 °C"],
    [{ value: 0, below: 0.5 }, "last reading 0, lower limit 0.5"],
  ];
  for (const [detail, words] of told) assert.equal(facts(standing(detail)).join(", "), words);
});

test("what stands is counted, and what of it is critical", () => {
  const rows = [standing({}), standing({}, "critical")];
  assert.equal(tally(rows, false), "2 stand, 1 critical");
  assert.equal(tally(rows.slice(0, 1), false), "1 stands");
  assert.equal(tally(rows, true), "2 or more stand, 1 critical");
  assert.equal(tally([], false), "none stands");
});
