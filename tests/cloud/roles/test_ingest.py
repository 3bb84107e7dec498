"""The ingest role in a process of its own: it says what the journal says, and ends with it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloud.config import CloudConfig
from cloud.errors import OperatorError, StorageError
from cloud.ingest.gate import open_journal
from cloud.ingest.identity import Authority
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.roles import ingest_wire as wire
from cloud.roles.ingest_keeper import IngestProcess, JournalApart
from cloud.roles.ingest_placement import begin_ingest
from cloud.settings import CloudSettings
from deploy.demo.broker import free_port
from protos.settings import read_settings
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_world import T0, Gateway
from tests.cloud.roles.role_world import wait_for

BLOCKS = 5
BYTES = 1 << 20


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def config(tmp_path: Path) -> CloudConfig:
    """A home with some blocks in its journal."""
    sync, enrol, http = (f"127.0.0.1:{port}" for port in (free_port(), free_port(), free_port()))
    listen = f'[listen]\nsync = "{sync}"\nenrol = "{enrol}"\nhttp = "{http}"\n'
    text = f'{listen}[roles]\ningest = "apart"\n'
    made = CloudConfig(tmp_path, read_settings(text, CloudSettings))
    Authority.create(made.authority_folder, "a test")
    journal = open_journal(made, now_us)
    line = Line(journal)
    gateway = Gateway(line, epoch=line.epoch)  # type: ignore[arg-type]
    for block in range(BLOCKS):
        at = T0 + block * 1000
        gateway.send(gateway.numbers("pump", [at, at + 1], [1.0, 2.0]))
    journal.close()
    return made


@pytest.fixture
def journal(config: CloudConfig) -> Iterator[JournalApart]:
    made = begin_ingest(config, now_us)
    assert isinstance(made, JournalApart)
    yield made
    made.close()


def said(journal: SqliteJournal | JournalApart) -> list[object]:
    """All that a journal is asked."""
    return [
        journal.generation, journal.head(), journal.archived(), journal.cursors(),
        dict(journal.counts()), replace(journal.stats(), segments=0, bytes=0),
        journal.read(0, BYTES), journal.series("gw-1", 1), journal.quarantined(),
    ]  # fmt: skip


def test_apart_the_journal_says_what_it_says_in_one_process(
    config: CloudConfig, journal: JournalApart
) -> None:
    journal.mark_archived(3).result(0)
    journal.quarantine(4, "a test")
    told = said(journal)
    assert (journal.head(), journal.archived()) == (BLOCKS, 3)
    assert [one.offset for one in journal.quarantined()] == [4]
    journal.close()
    here = open_journal(config, now_us)
    try:
        assert told == said(here)
    finally:
        here.close()


def test_what_the_process_refuses_is_an_error_here_and_it_goes_on(journal: JournalApart) -> None:
    with pytest.raises(StorageError):
        journal.mark_archived(BLOCKS + 1)
    with pytest.raises(StorageError, match="no offset 77"):
        journal.quarantine(77, "a test")
    assert journal.failure is None
    assert journal.head() == BLOCKS


def test_a_home_without_an_identity_is_refused_as_in_one_process(tmp_path: Path) -> None:
    settings = read_settings('[roles]\ningest = "apart"\n', CloudSettings)
    with pytest.raises(OperatorError):
        begin_ingest(CloudConfig(tmp_path, settings), now_us)


def test_a_process_that_dies_ends_the_cloud_and_whoever_asks_hears_of_it(
    journal: JournalApart,
) -> None:
    journal.process._process.kill()
    wait_for(lambda: journal.failure is not None)
    assert "killed by signal 9" in str(journal.failure)
    with pytest.raises(StorageError, match="killed by signal 9"):
        journal.head()
    assert journal.read(0, BYTES)  # what is on the disk can be read all the same


def test_it_ends_with_its_parent_and_the_next_one_takes_the_journal(config: CloudConfig) -> None:
    first = IngestProcess(config)
    first.generation()
    first._channel._socket.shutdown(2)  # as the parent's death does
    second = IngestProcess(config)
    assert second.ask(wire.AskHead(), int) == BLOCKS
    second.end()
    assert first._process.wait(20) == 0


def test_sessions_that_never_began_end_in_good_order(config: CloudConfig) -> None:
    process = IngestProcess(config)
    process.end()
    process.end()
    assert process._process.returncode == 0
    assert process.failure is None
