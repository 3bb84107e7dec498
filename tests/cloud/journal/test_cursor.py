"""What blocks, series and the lake do to a cursor, one rule a test."""

from dataclasses import replace
from typing import Any

import pytest

from cloud.journal.cursor import (
    Alarm,
    Closed,
    Cursor,
    Decision,
    archive,
    decide_block,
    decide_declare,
    decode_cursor,
    encode_cursor,
)
from protos import sync_pb2 as pb
from protos.limits import SERIES_BYTES_MAX, SERIES_MAX
from protos.series import EMPTY_ROOT, SeriesEntry, SeriesKey, encode_entry, make_entry, roll
from tests.sim.cursors import (
    BOOT,
    CURSOR,
    NEXT_HASH,
    OTHER_HASH,
    Held,
    block,
    code,
    header,
    hello,
    said,
)


def test_the_next_block_is_stored_and_acked() -> None:
    decision = block()
    assert decision.append
    assert (decision.cursor.stored, decision.cursor.stored_hash) == (6, NEXT_HASH)
    ack = decision.replies[0].ack
    assert (ack.session, ack.epoch, ack.stored, ack.archived) == (4, 2, 6, 3)


@pytest.mark.parametrize("held", [Held({(2, 5): NEXT_HASH}), Held()], ids=["held", "trimmed"])
def test_a_block_that_came_before_is_acked_again_and_not_stored(held: Held) -> None:
    decision = block(held=held, seq=5)
    assert (decision.cursor, decision.append, said(decision)) == (CURSOR, False, ["ack"])


def test_a_block_beyond_the_next_is_asked_for_from_the_next_on() -> None:
    decision = block(seq=8)
    assert (said(decision), decision.replies[0].resend.from_seq) == (["resend"], 6)
    assert (decision.append, decision.ends) == (False, False)


@pytest.mark.parametrize(
    "changes",
    [{"seq": 5, "held": Held({(2, 5): OTHER_HASH})}, {"prev_hash": OTHER_HASH}],
    ids=["another block in its place", "another past"],
)
def test_another_content_is_a_fork_and_nothing_of_it_is_stored(changes: dict[str, Any]) -> None:
    decision = block(**changes)
    assert (code(decision), decision.alarm) == (pb.FORK, Alarm.FORK)
    assert not decision.append
    assert decision.cursor == replace(CURSOR, forks=1)


def test_a_block_of_a_fenced_session_is_not_stored() -> None:
    assert code(block(session=3)) == pb.FENCED


def test_a_block_of_an_epoch_just_closed_is_passed_over() -> None:
    assert block(epoch=1) == Decision(CURSOR)


def test_a_block_of_an_epoch_never_granted_is_refused() -> None:
    assert code(block(epoch=3)) == pb.EPOCH_UNKNOWN


def test_a_block_cannot_be_stored_under_another_name() -> None:
    assert code(block(gateway="cellar")) == pb.MALFORMED
    moved = decide_block(
        CURSOR, Held(), session=4, epoch=2, seq=6, header=header(seq=7), hash=NEXT_HASH
    )
    assert code(moved) == pb.MALFORMED


def test_a_block_that_needs_undeclared_series_is_asked_for_again() -> None:
    decision = block(series_high=1)
    assert (said(decision), decision.append) == (["ack", "resend"], False)
    assert decision.replies[0].ack.series_known == 0


def test_a_block_over_other_series_than_declared_is_refused_and_leads_to_a_new_epoch() -> None:
    cursor = replace(CURSOR, series_known=2, series_root=b"r" * 32)
    held = Held(roots={(2, 1): b"q" * 32})
    refused = block(cursor, held, series_high=1, series_root=b"x" * 32)
    assert code(refused) == pb.SERIES_CONFLICT
    again = hello(refused.cursor, series_high=9)
    assert (said(again), again.cursor.epoch) == (["resume", "epoch_grant"], 3)


# --- series ---------------------------------------------------------------------------------


def entries(first: int, count: int) -> list[SeriesEntry]:
    numbers = range(first, first + count)
    return [make_entry(n, 1, SeriesKey("pump", f"m{n}"), bytes(16)) for n in numbers]


def declare(cursor: Cursor, first: int, told: list[SeriesEntry]) -> Decision:
    return decide_declare(cursor, session=4, epoch=2, first=first, entries=told)


def test_declared_series_are_kept_once_however_often_they_come() -> None:
    first = declare(CURSOR, 1, entries(1, 3))
    assert [entry.entry for entry in first.entries] == [1, 2, 3]
    again = declare(first.cursor, 2, entries(2, 3))
    assert [entry.entry for entry in again.entries] == [4]
    root = EMPTY_ROOT
    for entry in entries(1, 4):
        root = roll(root, entry.leaf)
    assert (again.cursor.series_known, again.cursor.series_root) == (4, root)


def test_the_bytes_of_declared_series_are_counted_once_and_are_bounded() -> None:
    three = sum(len(encode_entry(entry)) for entry in entries(1, 3))
    first = declare(CURSOR, 1, entries(1, 3))
    again = declare(first.cursor, 1, entries(1, 3))
    assert (first.cursor.series_bytes, again.cursor.series_bytes) == (three, three)
    full = replace(first.cursor, series_bytes=SERIES_BYTES_MAX)
    assert said(declare(full, 3, entries(3, 1))) == ["ack"], "what is known takes no room"
    refused = declare(full, 3, entries(3, 2))
    assert (code(refused), refused.cursor, refused.entries) == (pb.MALFORMED, full, ())
    assert "ignore topics" in refused.replies[0].fault.hint


def test_more_series_than_there_may_be_are_refused() -> None:
    last = entries(SERIES_MAX, 1)
    full = replace(CURSOR, series_known=SERIES_MAX - 1, series_bytes=1)
    taken = declare(full, SERIES_MAX, last)
    assert taken.cursor.series_known == SERIES_MAX
    beyond = [replace(last[0], entry=SERIES_MAX + 1)]
    assert code(declare(taken.cursor, SERIES_MAX + 1, beyond)) == pb.MALFORMED


def test_a_new_epoch_begins_with_no_series_and_no_bytes() -> None:
    before = replace(declare(CURSOR, 1, entries(1, 3)).cursor, torn=2)
    assert before.series_bytes
    after = hello(before, series_high=3, series_root=before.series_root).cursor
    assert (after.epoch, after.series_known, after.series_bytes) == (3, 0, 0)


def test_series_behind_a_hole_are_asked_for_again() -> None:
    decision = declare(CURSOR, 5, entries(5, 1))
    assert (decision.entries, said(decision)) == ((), ["ack", "resend"])


def test_series_that_are_not_numbered_in_a_row_are_malformed() -> None:
    assert code(declare(CURSOR, 1, [*entries(1, 1), *entries(3, 1)])) == pb.MALFORMED


def test_archived_rises_in_its_own_epoch_and_never_falls_or_runs_past_stored() -> None:
    cursor = replace(CURSOR, closed=(Closed(1, 8, OTHER_HASH, 2),))
    assert archive(cursor, 2, 9).archived == 5
    assert archive(cursor, 2, 1).archived == 3
    assert archive(cursor, 1, 7).closed[0].archived == 7


def test_a_cursor_survives_its_bytes() -> None:
    cursor = replace(CURSOR, closed=(Closed(1, 8, OTHER_HASH, 2),), boots=(BOOT, b"b" * 16))
    assert decode_cursor(encode_cursor(cursor)) == cursor
