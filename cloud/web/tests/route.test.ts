import assert from "node:assert/strict";
import { test } from "node:test";
import { formatHash, parseHash, type Range, type Route } from "../src/route.ts";

const HOUR = 3_600_000_000;

function series(range: Range): Route {
  return { view: "series", gateway: "g/1", device: "püm p?#", series: "00000000000000a1", range };
}

test("every route survives its own address", () => {
  const routes: Route[] = [
    { view: "fleet" },
    { view: "fleet", choice: { q: "a b&c=d", show: "silent,new", sort: "-backlog", page: "3" } },
    { view: "find" },
    { view: "find", choice: { q: "hall/°", match: "*/pump-?", kind: "gauge,state" } },
    { view: "quarantine", choice: { block: "a1" } },
    { view: "alerts", choice: { which: "all", what: "gap" } },
    { view: "ledger", gateway: undefined, choice: { show: "lacking" } },
    { view: "ledger", gateway: "g/1" },
    { view: "gateway", gateway: "a b" },
    { view: "gateway", gateway: "a", choice: { q: "pump" } },
    { view: "device", gateway: "a", device: "x/y%2F" },
    { view: "device", gateway: "a", device: "d", choice: { page: "2" } },
    series({ kind: "all" }),
    series({ kind: "last", spanUs: 24 * HOUR }),
    series({ kind: "last", spanUs: 1_500_000 }),
    series({ kind: "last", spanUs: 123_457 }),
    series({ kind: "fixed", fromUs: 1_372_900_000_000_001, toUs: 1_372_900_000_500_000 }),
    series({ kind: "fixed", fromUs: -5_000_001, toUs: 0 }),
  ];
  for (const route of routes) assert.deepEqual(parseHash(formatHash(route)), route);
});

test("a day is written as its button says", () => {
  assert.match(formatHash(series({ kind: "last", spanUs: 24 * HOUR })), /\?last=24h$/);
  assert.match(formatHash(series({ kind: "last", spanUs: 7 * 24 * HOUR })), /\?last=7d$/);
});

test("a broken range falls back to a day and a broken address is no crash", () => {
  for (const bad of ["", "?last=-3h", "?last=0s", "?from=2020-01-01T00:00:00Z", "?from=2&to=1"]) {
    const route = parseHash(`#/gateways/g/devices/d/series/a1${bad}`);
    assert.deepEqual(route.view === "series" && route.range, { kind: "last", spanUs: 24 * HOUR });
  }
  assert.equal(parseHash("#/gateways/%E0%A4%A").view, "unknown");
  for (const bad of ["#/nowhere", "#/series/a", "#/ledger/a", "#/gateways", "#/gateways/g/d"]) {
    assert.equal(parseHash(bad).view, "unknown", bad);
  }
  assert.deepEqual(parseHash("#/?q=&sort="), { view: "fleet" });
});
