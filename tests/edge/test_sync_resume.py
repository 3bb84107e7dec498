"""A session resumes below the gateway's head: first it looks whether the cloud's block is ours."""

from dataclasses import replace
from typing import Any

import pytest

from edge.sync import Session
from edge.sync_effects import BeginEpoch, Close, Effect, LoadBlocks, Mark, Phase, Seal, Send
from protos import sync_pb2 as pb
from tests.edge.test_sync import STATE, ack, block, grant, opened, resume, seqs


def proven(session: Session, **changes: Any) -> list[Effect]:
    """Resume below the head, and the block that was stored last turns out to be ours."""
    message = resume(**changes)
    seq, found = message.resume.stored, message.resume.stored_hash
    assert session.received(message) == [LoadBlocks(seq, 1)]
    return session.blocks_loaded([replace(block(seq), hash=found)])


def test_what_was_sealed_and_not_stored_goes_before_anything_is_sealed() -> None:
    session = opened()
    effects = proven(session, stored=3, stored_hash=b"x" * 32, archived=3)
    assert effects == [Mark(3, 3, 7), LoadBlocks(4, 1 << 20)]
    assert seqs(session.blocks_loaded([block(4), block(5)])) == [4, 5]
    assert isinstance(session.received(ack(5))[-1], Seal)


def test_another_generation_waits_for_a_grant_and_marks_nothing_before_it() -> None:
    session = opened(replace(STATE, generation=6))
    assert proven(session, stored=2, archived=1) == []
    assert session.phase is Phase.GRANT
    effects = session.received(grant(stored_epoch=1, previous_stored=8))
    assert effects == [BeginEpoch(3, (), (1, 8), 7)]


def test_a_cloud_that_stands_before_what_is_kept_is_asked_for_a_new_epoch() -> None:
    session = opened()
    mark, request = proven(session, stored=2, archived=2, stored_hash=b"x" * 32)
    assert mark == Mark(2, 2, 7)
    assert isinstance(request, Send)
    assert "oldest kept is 4" in request.message.epoch_request.why


@pytest.mark.parametrize("answer", ["empty", "unreadable"])
def test_a_block_that_cannot_be_read_again_leads_to_a_new_epoch(answer: str) -> None:
    session = opened()
    proven(session, stored=3, archived=3, stored_hash=b"x" * 32)
    (request,) = session.blocks_loaded([]) if answer == "empty" else session.unreadable("bit rot")
    assert isinstance(request, Send)
    assert request.message.epoch_request.closed_epoch == 2


def test_another_block_at_our_head_ends_the_session_as_a_fork() -> None:
    (close,) = opened().received(resume(stored_hash=b"x" * 32))
    assert isinstance(close, Close)
    assert close.code == pb.FORK


def test_another_block_below_our_head_ends_the_session_before_anything_is_marked() -> None:
    """Both of two machines with one card sealed block 3, and the other's was stored."""
    session = opened()
    session.received(resume(stored=3, stored_hash=b"x" * 32, archived=3))
    (close,) = session.blocks_loaded([block(3)])
    assert isinstance(close, Close)
    assert close.code == pb.FORK


def test_a_grant_behind_the_resume_waits_until_our_block_is_seen() -> None:
    session = opened()
    session.received(resume(stored=3, stored_hash=b"x" * 32, archived=3, series_known=1))
    assert session.received(grant(previous_stored=3)) == []
    effects = session.blocks_loaded([replace(block(3), hash=b"x" * 32)])
    assert effects == [Mark(3, 3, 7), BeginEpoch(3, (), (2, 3), 7)]


@pytest.mark.parametrize("answer", ["gone", "unreadable"])
def test_a_stored_block_that_was_let_go_was_ours(answer: str) -> None:
    session = opened()
    session.received(resume(stored=3, stored_hash=b"x" * 32, archived=3))
    effects = session.blocks_loaded([block(4)]) if answer == "gone" else session.unreadable("gone")
    assert effects == [Mark(3, 3, 7), LoadBlocks(4, 1 << 20)]
