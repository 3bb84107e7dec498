import assert from "node:assert/strict";
import { test } from "node:test";
import type { LedgerRow } from "../src/api/types.ts";
import { accountOf, troubled } from "../src/ledger/account.ts";
import { formatHash, parseHash } from "../src/route.ts";

function row(facts: Partial<LedgerRow> = {}): LedgerRow {
  return {
    gateway: "attic",
    epoch: 2,
    generation: 0,
    open: true,
    expected: 10,
    stored: 10,
    archived: 10,
    readings: 500,
    archived_readings: 500,
    quarantined_blocks: 0,
    quarantined_readings: 0,
    discarded_blocks: 0,
    discarded_readings: 0,
    forked_blocks: 0,
    deleted_blocks: 0,
    in_lake: 500,
    gaps: {},
    reasons: [],
    ...facts,
  };
}

function texts(facts: Partial<LedgerRow>): string[] {
  return accountOf(row(facts)).map((line) => line.text);
}

test("an epoch that lacks nothing is whole", () => {
  assert.deepEqual(accountOf(row()), [{ tone: "whole", text: "whole" }]);
});

test("what is on its way is told apart from what is lost", () => {
  assert.deepEqual(texts({ expected: 12, archived: 7 }), [
    "2 blocks still to come",
    "3 blocks not yet in the lake",
  ]);
  assert.match(texts({ expected: 11, open: false })[0] ?? "", /sent again in a later epoch/);
  assert.equal(troubled([row({ expected: 12, archived: 7 })]), 0);
});

test("losses come first, each with its reason", () => {
  const facts = {
    quarantined_blocks: 1,
    quarantined_readings: 40,
    gaps: { evicted: { records: 2, readings: 1_000 }, reason_9: { records: 1, readings: 1 } },
  };
  assert.deepEqual(texts(facts), [
    "1,000 readings evicted from a full buffer, in 2 gaps",
    "1 reading reason 9, in 1 gap",
    "1 block of 40 readings in quarantine",
  ]);
  assert.equal(troubled([row(facts), row()]), 1);
});

test("the other stream of a fork is named", () => {
  assert.match(texts({ forked_blocks: 3 })[0] ?? "", /3 blocks of another machine/);
});

test("the ledger has an address, of all and of one gateway", () => {
  for (const hash of ["#/ledger", "#/gateways/pump-house/ledger"]) {
    assert.equal(formatHash(parseHash(hash)), hash);
  }
});
