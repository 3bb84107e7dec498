import assert from "node:assert/strict";
import { test } from "node:test";
import type { Anomaly, Gateway } from "../src/api/types.ts";
import { clusterMarkers } from "../src/chart/marker-clusters.ts";
import { firstLook } from "../src/device/first-look.ts";
import { judge, urgentFirst } from "../src/fleet/health.ts";
import { byName } from "../src/format/natural.ts";

const NOW = 1_800_000_000_000_000;
const DAY = 86_400_000_000;

function gateway(name: string, facts: Partial<Gateway> = {}): Gateway {
  return {
    name,
    first_seen: 0,
    last_seen: NOW,
    connected: true,
    epoch: 1,
    session: 1,
    stored: 10,
    archived: 10,
    series: 1,
    readings: 1,
    anomalies: 0,
    backlog_rows: 0,
    backlog_bytes: 0,
    clock: "synced",
    key_tier: "file",
    agent_version: "0.1.0",
    certificate_not_after: NOW + 300 * DAY,
    ...facts,
  };
}

test("silent gateways come first, the longest silent at the top", () => {
  const rows = urgentFirst(
    [
      gateway("well"),
      gateway("short", { connected: false, last_seen: NOW - DAY }),
      gateway("late", { certificate_not_after: NOW + DAY }),
      gateway("long", { connected: false, last_seen: NOW - 9 * DAY }),
      gateway("never", { connected: false, last_seen: null }),
    ],
    NOW,
  );
  assert.deepEqual(
    rows.map(([one]) => one.name),
    ["long", "short", "late", "never", "well"],
  );
});

test("a gateway enrolled and never heard is not yet heard, and not silent", () => {
  const fresh = gateway("g", { connected: false, last_seen: null });
  assert.deepEqual(judge(fresh, NOW), { health: "new", reasons: ["enrolled, never connected"] });
  const late = judge({ ...fresh, certificate_not_after: NOW - 1 }, NOW);
  assert.equal(late.health, "attention");
});

test("names are ordered as people count", () => {
  assert.deepEqual(["bay10", "bay2", "a"].sort(byName), ["a", "bay2", "bay10"]);
});

test("a metric opens at its last day, or at all of it when that day would show little", () => {
  const old = { first_ts: NOW - 90 * DAY, last_ts: NOW - 1 };
  assert.equal(firstLook(old, NOW).kind, "last");
  assert.equal(firstLook({ ...old, last_ts: NOW - 2 * DAY }, NOW).kind, "all");
  assert.equal(firstLook({ ...old, first_ts: NOW - 1_000 }, NOW).kind, "all");
});

test("each trouble is named", () => {
  const troubled = gateway("g", {
    backlog_rows: 60_000,
    stored: 5_000,
    clock: "unsynced",
    certificate_not_after: NOW - 1,
  });
  const { health, reasons } = judge(troubled, NOW);
  assert.equal(health, "attention");
  assert.deepEqual(reasons, [
    "certificate expired",
    "60,000 readings waiting",
    "4,990 blocks not yet in the lake",
    "clock not synchronised",
  ]);
  assert.deepEqual(judge(gateway("g"), NOW), { health: "well", reasons: [] });
});

test("a stream that broke a moment ago is reconnecting, not silent", () => {
  const verdict = judge(gateway("g", { connected: false, last_seen: NOW - 1_000_000 }), NOW);
  assert.deepEqual(verdict, { health: "attention", reasons: ["reconnecting"] });
});

test("markers that would overlap become one, led by the highest score, and none is lost", () => {
  const anomalies = [0, 3, 6, 40, 500].map(
    (ts, i) => ({ ts, score: [1, 9, 2, 5, 5][i] }) as Anomaly,
  );
  const clusters = clusterMarkers(anomalies, (us) => us, 100, 14);
  assert.deepEqual(
    clusters.map((one) => [one.lead.ts, one.members.length]),
    [
      [3, 3],
      [40, 1],
    ],
  );
});
