"""Every implementation of a contract is named here once, and passes the same suite."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud.journal.contract import Journal
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from edge.ingest_native import NativeIngest
from edge.ingest_paho import PahoIngest

Open = Callable[[], Journal]
IngestType = type[NativeIngest] | type[PahoIngest]


@pytest.fixture(params=[NativeIngest, PahoIngest], ids=["native", "paho"])
def ingest_type(request: pytest.FixtureRequest) -> IngestType:
    """An implementation of `edge.ingest.Ingest`."""
    made: IngestType = request.param
    return made


@pytest.fixture(params=["sqlite"])
def open_journal(tmp_path: Path) -> Iterator[Open]:
    """Opens the same journal again and again, closing the one opened before."""
    opened: list[Journal] = []
    clock = iter(range(1_700_000_000_000_000, 1 << 62, 1000))

    def open_again() -> Journal:
        if opened:
            opened.pop().close()
        opened.append(SqliteJournal.open(tmp_path / "journal", now_us=lambda: next(clock)))
        return opened[0]

    yield open_again
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(open_journal: Open) -> Journal:
    return open_journal()
