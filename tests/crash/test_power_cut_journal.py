"""The power goes below the cloud's journal: every block that was acknowledged is there after it."""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import pytest

from cloud.errors import StorageError
from cloud.journal.sqlite import segment
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from tests.contract.sender import WAIT_S, Sender
from tests.crash.power import Power

SEEDS = 40
ALL = 1 << 40
LIMITS = JournalLimits(bytes_max=64 << 20, segment_bytes_max=256 << 10)


def open_journal(folder: Path) -> SqliteJournal:
    clock = itertools.count(1_700_000_000_000_000)
    return SqliteJournal.open(folder, now_us=lambda: next(clock), limits=LIMITS)


def live(folder: Path, chance: random.Random) -> tuple[Sender | None, int]:
    """Send, archive and trim until the power goes; the sender and what it knows was archived."""
    sender, archived = None, 0
    with suppress(StorageError, apsw.Error, OSError):
        journal = open_journal(folder)
        try:
            sender = Sender(journal, "attic").begin()
            for number in range(2000):
                if number % 7 == 0:
                    sender.declare()
                sender.send(chance.choice([100, 4000, 30_000]))
                if chance.random() < 0.1:
                    archived = journal.head() - 1
                    journal.mark_archived(archived).result(WAIT_S)
                    journal.trim()
        except AssertionError as refused:  # the sender's: the journal answered with a fault
            assert "fault" in str(refused)  # noqa: PT017
        finally:
            with suppress(StorageError, apsw.Error, OSError):
                journal.close()
    return sender, archived


def life_and_card(tmp_path: Path, seed: int, *, lying: bool = False) -> tuple[Sender, int, Path]:
    """One life up to a power cut, and the folder as it is found then."""
    chance = random.Random(seed)
    folder = tmp_path / f"life-{seed}"
    folder.mkdir(parents=True)
    power = Power(folder, seed, cut_at=chance.randint(60, 900), lying=lying)
    with power.on():
        sender, archived = live(folder, chance)
    assert power.is_cut, "the life ended before the power did"
    card = tmp_path / f"card-{seed}"
    card.mkdir()
    assert sender is not None
    return sender, archived, power.card(card)


def missing_after(sender: Sender, archived: int, card: Path) -> list[int]:
    """Acknowledged blocks, not yet archived, that the journal on the card does not hold."""
    journal = open_journal(card)
    try:
        entries = journal.read(max(archived, journal.stats().oldest - 1), ALL)
        held = {(entry.seq, entry.hash) for entry in entries}
        assert len(held) == len(entries), "a block is held twice"
        acknowledged = enumerate(sender.blocks[: sender.stored], 1)
        return [
            seq for seq, block in acknowledged if seq > archived and (seq, block.hash) not in held
        ]
    finally:
        journal.close()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_acknowledged_block_survives_a_power_cut(tmp_path: Path, seed: int) -> None:
    assert missing_after(*life_and_card(tmp_path, seed)) == []


@contextmanager
def synchronous_normal() -> Iterator[None]:
    """The journal without an fsync at each commit, as the product must never be."""
    original = segment.open_writer

    def lax(which: segment.Segment) -> apsw.Connection:
        connection = original(which)
        connection.pragma("synchronous", "NORMAL")
        return connection

    from cloud.journal.sqlite import writer

    writer.open_writer = lax  # type: ignore[attr-defined]
    try:
        yield
    finally:
        writer.open_writer = original  # type: ignore[attr-defined]


def test_a_journal_that_does_not_sync_each_commit_is_caught_losing(tmp_path: Path) -> None:
    with synchronous_normal():
        caught = [_is_caught(*life_and_card(tmp_path, seed)) for seed in range(12)]
    assert any(caught)


def _is_caught(sender: Sender, archived: int, card: Path) -> bool:
    try:
        return bool(missing_after(sender, archived, card))
    except StorageError as told:  # a hole between segments is an error by itself
        return "missing" in str(told)
