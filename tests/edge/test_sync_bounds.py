"""A cloud may say anything: what no buffer can hold ends the session, never the store."""

from typing import Any

import pytest

from edge.sync import Session
from edge.sync_bounds import RETRY_MS_MAX, WORDS_MAX
from edge.sync_effects import BufferState, Close
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH
from protos.limits import SEQ_MAX
from protos.series import EMPTY_ROOT

STATE = BufferState(
    epoch=2, head=0, head_hash=GENESIS_HASH, oldest_kept=1, stored=0, archived=0, series_high=0,
    series_root=EMPTY_ROOT, unsealed_bytes=0, unsealed_rows=0,
)  # fmt: skip


def greeted() -> Session:
    session = Session("attic", bytes(16), "1")
    session.greet(STATE, pb.Status(), 1)
    return session


def resume(**changes: Any) -> pb.CloudMessage:
    known: dict[str, Any] = {"protocol": 1, "session": 9, "generation": 7, "epoch": 2}
    told = {**known, "stored_hash": GENESIS_HASH, "window_bytes": 1 << 20, **changes}
    return pb.CloudMessage(resume=pb.Resume(**told))


def grant(**changes: Any) -> pb.CloudMessage:
    known = {"session": 9, "epoch": 3, "previous_epoch": 2}
    return pb.CloudMessage(epoch_grant=pb.EpochGrant(**{**known, **changes}))


def close_of(session: Session, message: pb.CloudMessage) -> Close:
    (close,) = session.received(message)
    assert isinstance(close, Close)
    return close


@pytest.mark.parametrize("field", ["session", "generation"])
def test_a_resume_with_a_number_that_no_column_holds_ends_the_session(field: str) -> None:
    close = close_of(greeted(), resume(**{field: SEQ_MAX + 1}))
    assert str(SEQ_MAX + 1) in close.message
    assert close.hint
    assert not isinstance(greeted().received(resume(**{field: SEQ_MAX}))[0], Close)


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": SEQ_MAX},
        {"epoch": (1 << 64) - 1},
        {"stored_epoch": SEQ_MAX + 1},
        {"previous_stored": SEQ_MAX + 1},
        {"stored_chunks": [pb.ChunkRun(prefix=b"short", first=1, count=1)]},
        {"stored_chunks": [pb.ChunkRun(prefix=bytes(12), first=(1 << 32) - 1, count=2)]},
    ],
)
def test_a_grant_that_no_buffer_can_take_ends_the_session(changes: dict[str, Any]) -> None:
    session = greeted()
    session.received(resume())
    assert close_of(session, grant(**changes)).message


def test_a_pause_without_end_and_endless_words_are_cut() -> None:
    told = pb.Fault(message="x" * 5000, hint="y" * 5000, retry_after_ms=(1 << 64) - 1)
    close = close_of(greeted(), pb.CloudMessage(fault=told))
    assert close.retry_after_ms == RETRY_MS_MAX
    assert (len(close.message), len(close.hint)) == (WORDS_MAX, WORDS_MAX)


def test_a_refusal_without_a_word_still_says_something_to_the_operator() -> None:
    assert "without a reason" in close_of(greeted(), pb.CloudMessage(fault=pb.Fault())).message
