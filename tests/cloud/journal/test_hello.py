"""How sessions begin and epochs end, one rule a test."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.journal.cursor import BOOTS_MAX, CALM_HELLOS, Alarm, Closed, Cursor, Decision, forgive
from cloud.journal.hello import coalesce, decide_epoch_request
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, ChunkRun
from protos.limits import SEQ_MAX
from tests.sim.cursors import (
    CURSOR,
    NEXT_HASH,
    OTHER_HASH,
    STORED_HASH,
    Held,
    code,
    hello,
    said,
)


def test_a_hello_opens_a_session_and_says_where_delivery_stands() -> None:
    decision = hello()
    resume = decision.replies[0].resume
    assert said(decision) == ["resume"]
    assert decision.cursor == replace(CURSOR, session=5, calm=1)
    assert (resume.session, resume.generation, resume.epoch) == (5, 7, 2)
    assert (resume.stored, resume.archived, resume.stored_hash) == (5, 3, STORED_HASH)
    assert resume.window_bytes == 1000


def test_a_gateway_that_sealed_more_than_is_stored_goes_on() -> None:
    assert said(hello(head=9, head_hash=OTHER_HASH)) == ["resume"]


def test_a_new_gateway_is_welcomed_and_asks_for_its_epoch_itself() -> None:
    welcome = hello(Cursor("attic"), epoch=0, head=0, head_hash=GENESIS_HASH, oldest_kept=1)
    assert (said(welcome), welcome.cursor.epoch) == (["resume"], 0)
    request = pb.EpochRequest(session=1, closed_epoch=0)
    granted = decide_epoch_request(welcome.cursor, Held(), request)
    assert (granted.replies[0].epoch_grant.epoch, granted.cursor.granted) == (1, 1)


def test_a_rewound_gateway_gets_a_new_epoch_and_the_chunks_it_must_drop() -> None:
    held = Held({(2, 3): OTHER_HASH}, runs=[ChunkRun(b"p" * 12, 4, 2), ChunkRun(b"p" * 12, 6, 1)])
    decision = hello(held=held, head=3, head_hash=OTHER_HASH)
    assert (said(decision), decision.alarm) == (["resume", "epoch_grant"], Alarm.REWIND)
    grant = decision.replies[1].epoch_grant
    assert (grant.epoch, grant.previous_epoch, grant.previous_stored) == (3, 2, 5)
    assert [(run.first, run.count) for run in grant.stored_chunks] == [(4, 3)]
    assert held.asked == [(2, 3)]
    assert decision.cursor.closed == (Closed(2, 5, STORED_HASH, 3),)


@pytest.mark.parametrize(
    "changes", [{"head_hash": OTHER_HASH}, {"head": 3, "head_hash": OTHER_HASH}]
)
def test_another_head_within_what_is_stored_is_a_fork_and_fences_nobody(
    changes: dict[str, Any],
) -> None:
    decision = hello(held=Held({(2, 3): STORED_HASH}), **changes)
    assert (code(decision), decision.alarm) == (pb.FORK, Alarm.FORK)
    assert decision.cursor.session == CURSOR.session


def test_a_pardoned_fork_goes_by_chunk_ids_alone() -> None:
    held = Held(runs=[ChunkRun(b"p" * 12, 0, 9)])
    decision = hello(forgive(CURSOR), held, head_hash=OTHER_HASH)
    grant = decision.replies[1].epoch_grant
    assert (grant.previous_stored, len(grant.stored_chunks), held.asked) == (0, 1, [(2, 0)])


def test_a_gateway_of_a_closed_epoch_hears_what_of_it_was_stored() -> None:
    cursor = replace(CURSOR, closed=(Closed(1, 8, OTHER_HASH, 8),))
    decision = hello(cursor, epoch=1, head=9, head_hash=NEXT_HASH)
    assert (said(decision), decision.alarm) == (["resume", "epoch_grant"], None)
    assert decision.replies[0].resume.stored == 8
    assert decision.replies[1].epoch_grant.epoch == 3


def test_a_gateway_ahead_of_a_restored_cloud_gets_an_epoch_above_its_own() -> None:
    decision = hello(epoch=9, head=4, head_hash=OTHER_HASH)
    assert decision.alarm is Alarm.FALLBACK
    assert decision.replies[1].epoch_grant.epoch == 10


@pytest.mark.parametrize(
    "changes", [{"series_high": 1}, {"series_high": 2, "series_root": b"x" * 32}]
)
def test_a_series_table_that_stepped_back_is_a_rewind(changes: dict[str, Any]) -> None:
    cursor = replace(CURSOR, series_known=2, series_root=b"r" * 32)
    assert hello(cursor, **changes).alarm is Alarm.REWIND


def test_an_epoch_asked_for_twice_is_granted_once() -> None:
    request = pb.EpochRequest(session=4, closed_epoch=2)
    first = decide_epoch_request(CURSOR, Held(), request)
    second = decide_epoch_request(first.cursor, Held(), request)
    assert second.replies == first.replies
    assert second.cursor == first.cursor


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": SEQ_MAX},
        {"head": SEQ_MAX},
        {"generation": (1 << 64) - 1},
        {"oldest_kept": (1 << 64) - 1},
        {"oldest_kept": 7},
        {"epoch": 0},
        {"head_hash": b"short"},
        {"boot_id": b""},
    ],
)
def test_a_state_that_no_gateway_can_be_in_is_refused(changes: dict[str, Any]) -> None:
    decision = hello(**changes)
    assert code(decision) == pb.MALFORMED
    assert decision.cursor == CURSOR


# --- clones ---------------------------------------------------------------------------------


def meet(cursor: Cursor, boots: str) -> Decision:
    decision = Decision(cursor)
    for boot in boots:
        decision = hello(decision.cursor, boot_id=boot.encode() * 16)
    return decision


def test_two_machines_that_take_turns_are_found_and_both_are_told() -> None:
    assert meet(CURSOR, "ABA").alarm is None
    assert meet(CURSOR, "ABABA").alarm is Alarm.CLONE
    assert code(meet(CURSOR, "ABABAB")) == pb.CLONE


def test_a_machine_that_reboots_for_ever_is_no_clone() -> None:
    decision = meet(CURSOR, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert (decision.alarm, decision.cursor.strikes) == (None, 0)
    assert len(decision.cursor.boots) == BOOTS_MAX


def test_when_the_copy_is_gone_the_machine_is_let_in_again() -> None:
    cursor = meet(CURSOR, "ABABA").cursor
    assert code(meet(cursor, "A" * (CALM_HELLOS - 1))) == pb.CLONE
    assert meet(cursor, "A" * CALM_HELLOS).alarm is None


PREFIXES = st.sampled_from([b"a" * 12, b"b" * 12])
RUNS = st.builds(ChunkRun, PREFIXES, st.integers(0, 30), st.integers(1, 9))


@given(st.lists(RUNS))
def test_coalesced_runs_hold_the_same_chunks_in_order_and_apart(runs: list[ChunkRun]) -> None:
    def chunks(some: Sequence[ChunkRun]) -> set[tuple[bytes, int]]:
        return {(run.prefix, n) for run in some for n in range(run.first, run.first + run.count)}

    merged = coalesce(runs)
    assert chunks(merged) == chunks(runs)
    ends = [(run.prefix, run.first + run.count) for run in merged[:-1]]
    starts = [(run.prefix, run.first) for run in merged[1:]]
    assert all(end < start for end, start in zip(ends, starts, strict=True))
