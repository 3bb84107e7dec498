"""Blocks set apart: what is kept of them, what an operator may decide, and what a pardon does."""

import sqlite3
from pathlib import Path

import apsw
import pytest

from cloud.errors import OperatorError
from cloud.journal.sqlite.orders import carry_out
from cloud.journal.sqlite.quarantine import Cause, Quarantine, Quarantined, State
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from tests.contract.segmented import fill, opener
from tests.contract.sender import WAIT_S, Sender


@pytest.fixture
def open_journal(tmp_path: Path):
    yield from opener(tmp_path / "journal")


@pytest.fixture
def journal(open_journal) -> SqliteJournal:
    return open_journal()


def poisoned(journal: SqliteJournal) -> Quarantined:
    Sender(journal, "gw").begin().send(800)
    journal.quarantine(1, "no rows")
    return journal.quarantined()[0]


def test_a_poisoned_block_is_kept_with_the_readings_it_was_counted_with(journal):
    found = poisoned(journal)
    assert found.readings == journal.counts()["gw"].total.readings == 101
    assert (found.state, found.is_missing) == (State.HELD, True)
    assert journal.quarantined_blocks.data(found) == journal.read(0, 1)[0].data


def test_a_discarded_block_loses_its_bytes_and_keeps_its_row_and_reason(journal):
    apart, block = journal.quarantined_blocks, poisoned(journal)
    apart.discard(block, 77, "sensor on a bench")
    kept = journal.quarantined()[0]
    assert (kept.state, kept.settled_us, kept.why) == (State.DISCARDED, 77, "sensor on a bench")
    assert kept.is_missing
    assert kept.readings == block.readings
    assert apart.data(kept) is None


def test_a_block_is_decided_about_once(journal):
    apart, block = journal.quarantined_blocks, poisoned(journal)
    assert apart.release(block) == 1
    with pytest.raises(OperatorError, match="not held any more"):
        apart.discard(block, 1, "too late")
    with pytest.raises(OperatorError, match="not held any more"):
        apart.release(block)
    apart.refused(block, "still no rows")
    again = journal.quarantined()[0]
    assert (again.state, again.attempts, again.reason) == (State.HELD, 2, "still no rows")
    assert apart.release(block) == 2, "a ticket is never given twice"
    apart.released(block, 9)
    assert not journal.quarantined()[0].is_missing


def test_the_other_stream_of_a_fork_cannot_be_released_into_the_lake(journal):
    fork = Quarantined("gw", 1, 1, bytes(32), Cause.FORK, 0, "two streams", 1, 0, 3)
    journal.quarantined_blocks.put(fork, b"abc")
    with pytest.raises(OperatorError, match="another block holds its place"):
        journal.quarantined_blocks.release(fork)


def test_a_quarantine_of_the_first_format_is_brought_forward(tmp_path):
    path = tmp_path / "quarantine.db"
    old = sqlite3.connect(path)
    old.execute(
        "CREATE TABLE quarantine (gateway TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT"
        " NULL, hash BLOB NOT NULL, cause INTEGER NOT NULL, offset INTEGER NOT NULL, reason TEXT"
        " NOT NULL, attempts INTEGER NOT NULL, since_us INTEGER NOT NULL, bytes INTEGER NOT NULL,"
        " data BLOB, PRIMARY KEY (gateway, epoch, seq, hash)) STRICT"
    )
    sender = Sender(None, "gw")
    sender.epoch = 1
    block = sender.make(80)
    row = ("gw", 1, 1, block.hash, 1, 1, "why", 1, 5, len(block.data), block.data)
    old.execute("INSERT INTO quarantine VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)
    old.commit()
    old.close()
    for _ in range(2):
        apart = Quarantine(path)
        assert [(one.readings, one.state) for one in apart.list()] == [(11, State.HELD)]
        apart.close()


def test_a_copy_of_the_quarantine_is_whole(journal, tmp_path):
    block = poisoned(journal)
    journal.quarantined_blocks.copy_to(tmp_path / "copy.db")
    copy = Quarantine(tmp_path / "copy.db")
    assert copy.list() == [block]
    assert copy.data(block) == journal.quarantined_blocks.data(block)
    copy.close()
    assert apsw.Connection(str(tmp_path / "copy.db")).pragma("user_version") == 2


def test_a_pardon_asked_for_outside_is_carried_out_once_and_lasts(open_journal):
    journal = open_journal()
    sender = Sender(journal, "gw").begin()
    sender.send()
    journal.quarantined_blocks.ask_pardon("gw", 5)
    journal.quarantined_blocks.ask_pardon("stranger", 5)
    journal = open_journal()
    assert sorted(carry_out(journal)) == ["gw", "stranger"]
    assert carry_out(journal) == []
    assert [(one.gateway, one.pardon) for one in journal.cursors()] == [("gw", 1)]
    assert [one.pardon for one in open_journal().cursors()] == [1]


def test_a_pardoned_gateway_is_granted_a_new_epoch_at_its_next_hello(journal):
    sender = Sender(journal, "gw").begin()
    sender.send()
    journal.forgive("gw").result(WAIT_S)
    replies = sender.hello()
    grant = next(one.epoch_grant for one in replies if one.HasField("epoch_grant"))
    assert grant.epoch == 2
    assert [(run.first, run.count) for run in grant.stored_chunks] == [(1, 1)]


def test_a_gateway_that_never_came_cannot_be_pardoned(journal):
    with pytest.raises(KeyError):
        journal.forgive("nobody").result(WAIT_S)


def test_the_head_a_gateway_tells_is_kept_by_epoch_through_a_restart(open_journal):
    journal = open_journal()
    sender = Sender(journal, "gw").begin()
    for _ in range(3):
        sender.send()
    sender.make()
    sender.make()
    sender.hello()
    assert journal.counts()["gw"].heads == {1: 5}
    sender.blocks.pop()
    sender.hello()
    assert journal.counts()["gw"].heads == {1: 5}, "what was said once stays expected"
    assert open_journal().counts()["gw"].heads == {1: 5}


def test_archiving_may_pass_more_segments_than_are_kept_open(open_journal, tmp_path):
    journal = open_journal()
    fill(Sender(journal, "gw").begin(), tmp_path / "journal", 11)
    journal.mark_archived(journal.head()).result(WAIT_S)
    assert journal.archived() == journal.head()
    assert journal.counts()["gw"].total.archived_blocks == journal.head()
