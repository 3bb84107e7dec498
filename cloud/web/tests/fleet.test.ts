import assert from "node:assert/strict";
import { test } from "node:test";
import type { Anomaly, Gateway } from "../src/api/types.ts";
import { clusterMarkers } from "../src/chart/marker-clusters.ts";
import { firstLook } from "../src/device/first-look.ts";
import { outlook } from "../src/fleet/backlog.ts";
import { COLUMNS, healthCounts, judged, picked } from "../src/fleet/fleet-list.ts";
import { judge, urgentFirst } from "../src/fleet/health.ts";
import { byName } from "../src/format/natural.ts";
import { orderOf, sorted } from "../src/parts/sorting.ts";

const NOW = 1_800_000_000_000_000;
const DAY = 86_400_000_000;

function gateway(name: string, facts: Partial<Gateway> = {}): Gateway {
  return {
    name,
    first_seen: 0,
    last_seen: NOW,
    silent_s: 300,
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
    backlog_pace: 0,
    backlog_eta_s: 0,
    buffer_bytes: 1_000,
    buffer_bytes_max: 100_000,
    rejected: 0,
    evicted: 0,
    clock: "synced",
    key_tier: "file",
    agent_version: "0.1.0",
    last_ts: NOW,
    certificate_issued: NOW - 65 * DAY,
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

test("a gateway is silent when the cloud's rules say so, also one that hangs", () => {
  const quiet = gateway("g", { last_seen: NOW - 301_000_000 });
  assert.deepEqual(judge({ ...quiet, connected: false }, NOW), {
    health: "silent",
    reasons: ["last seen 5 min ago"],
  });
  assert.equal(judge({ ...quiet, connected: false, silent_s: 302 }, NOW).health, "attention");
  assert.deepEqual(judge(quiet, NOW).reasons, ["last seen 5 min ago, though it is connected"]);
  assert.equal(judge({ ...quiet, silent_s: 302 }, NOW).health, "well");
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

const MIXED = judged(
  [
    gateway("bay10", { backlog_rows: 5, clock: "unsynced" }),
    gateway("bay2", { backlog_rows: 90 }),
    gateway("attic", { connected: false, last_seen: NOW - DAY, backlog_rows: null }),
  ],
  NOW,
);

function names(rows: typeof MIXED): string[] {
  return rows.map(([one]) => one.name);
}

test("a fleet is ordered by any column, either way, and what is unknown stands last", () => {
  const by = (text: string | undefined) => names(sorted(MIXED, COLUMNS, orderOf(COLUMNS, text)));
  assert.deepEqual(by(undefined), ["attic", "bay10", "bay2"]);
  assert.deepEqual(by("name"), ["attic", "bay2", "bay10"]);
  assert.deepEqual(by("-name"), ["bay10", "bay2", "attic"]);
  assert.deepEqual(by("backlog"), ["bay2", "bay10", "attic"]);
  assert.deepEqual(by("-backlog"), ["bay10", "bay2", "attic"]);
  assert.deepEqual(by("nonsense"), by(undefined));
});

test("a fleet is searched by names and by troubles, and filtered by health", () => {
  assert.deepEqual(names(picked(MIXED, { q: "BAY" })), ["bay10", "bay2"]);
  assert.deepEqual(names(picked(MIXED, { q: "bay not synchronised" })), ["bay10"]);
  assert.deepEqual(names(picked(MIXED, { show: "silent,well" })), ["attic", "bay2"]);
  assert.deepEqual(healthCounts(MIXED), { silent: 1, attention: 1, new: 0, well: 1 });
});

test("a backlog says when it is gone, or that it grows, and nothing where nobody knows", () => {
  const waiting = { backlog_rows: 9_000 };
  const shrinks = gateway("g", { ...waiting, backlog_pace: -30, backlog_eta_s: 300 });
  assert.equal(outlook(shrinks), "gone in 5 min");
  assert.equal(outlook({ ...shrinks, connected: false }), "");
  assert.equal(
    outlook(gateway("g", { ...waiting, backlog_pace: 12, backlog_eta_s: null })),
    "growing",
  );
  assert.equal(outlook(gateway("g", { ...waiting, backlog_pace: null, backlog_eta_s: null })), "");
  assert.equal(outlook(gateway("g")), "");
});

test("a buffer that is nearly full is a trouble with a name", () => {
  const full = gateway("g", { buffer_bytes: 86_400 });
  assert.deepEqual(judge(full, NOW), { health: "attention", reasons: ["buffer 86 % full"] });
});
