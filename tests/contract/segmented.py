"""A SQLite journal with segments so small that a test fills several."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from cloud.journal.sqlite.segment import list_segments
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from tests.contract.sender import Sender

KIB = 1024
ALL = 1 << 40
SMALL = JournalLimits(bytes_max=4 << 20, segment_bytes_max=256 * KIB)

Open = Callable[..., SqliteJournal]


def opener(folder: Path) -> Iterator[Open]:
    """For a fixture: opens the same folder again and again, closing what was opened before."""
    opened: list[SqliteJournal] = []
    clock = itertools.count(1_700_000_000_000_000, 1000)

    def open_again(limits: JournalLimits = SMALL) -> SqliteJournal:
        if opened:
            opened.pop().close()
        opened.append(SqliteJournal.open(folder, now_us=lambda: next(clock), limits=limits))
        return opened[0]

    yield open_again
    for journal in opened:
        journal.close()


def segments(folder: Path) -> list[int]:
    """The first offsets of a journal's segments."""
    return [segment.first for segment in list_segments(folder)]


def fill(sender: Sender, folder: Path, count: int) -> None:
    """Send blocks until the journal has `count` segments."""
    while len(segments(folder)) < count:
        sender.send(16 * KIB)
