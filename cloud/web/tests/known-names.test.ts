import assert from "node:assert/strict";
import { test } from "node:test";
import { asking } from "../src/review/known-names.ts";
import { PLAIN_REVIEW } from "../src/review/review-address.ts";

test("names are asked for by what was typed, of the series that other fields name", () => {
  const choice = { ...PLAIN_REVIEW, gateway: 'plant "1"', metric: "temp" };
  assert.equal(
    asking("metric", choice)["match[]"],
    String.raw`{gateway="plant \"1\"",metric=~"(?i).*temp.*"}`,
  );
});

test("what was typed is no pattern", () => {
  const choice = { ...PLAIN_REVIEW, device: "a.b(1)*" };
  assert.equal(
    asking("device", choice)["match[]"],
    String.raw`{device=~"(?i).*a\\.b\\(1\\)\\*.*"}`,
  );
});
