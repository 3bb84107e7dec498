"""The cloud's figures, asked of a real journal, lake and registry."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloud.figures import Report
from cloud.ingest.service import Presence
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.lake.consolidator import Consolidator
from cloud.lake.loop import ConsolidationLoop
from cloud.lake.names import Names
from cloud.live.live import Live
from cloud.registry.registry import Registry
from protos import sync_pb2 as pb
from protos.exposition import Histogram
from tests.contract.sender import Sender

START_US = 1_800_000_000_000_000


class Cloud:
    """Everything a report asks, but the servers; ``now_us`` is its clock."""

    def __init__(self, root: Path) -> None:
        self.now_us = START_US
        self.journal = SqliteJournal.open(root / "journal", now_us=lambda: self.now_us)
        names = Names(self.journal.series)
        self.live = Live(self.journal, names)
        self.consolidator = Consolidator(root / "lake", self.journal, names, self.live)
        self.consolidator.recover()
        self.registry = Registry.open(root / "registry.db")
        self.loop = ConsolidationLoop(self.consolidator)
        self.report = Report(
            self.journal,
            self.live,
            self.loop,
            None,
            None,
            self.registry,
            cast("Any", SimpleNamespace(waiting_bytes=12, pid=None)),
            Counter(enrolled=2, refused=3),
            cast("Any", SimpleNamespace(requests=Counter(), seconds=Histogram((1.0,)))),
            lambda: self.now_us,
        )

    def close(self) -> None:
        self.loop.stop()
        self.live.stop()
        self.journal.close()
        self.registry.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


def test_the_lag_of_the_lake_is_the_age_of_the_oldest_block_that_waits(cloud: Cloud) -> None:
    sender = Sender(cloud.journal, "gw-1").begin()
    sender.declare()
    assert cloud.report.figures({}).lake.lag_us == 0
    sender.send()
    cloud.now_us += 7_000_000
    sender.send()
    cloud.now_us += 5_000_000
    figures = cloud.report.figures({})
    assert figures.lake.lag_us == 12_000_000
    assert (figures.journal.head, figures.journal.archived, figures.lake.offset) == (2, 0, 0)
    assert [*figures.resident_bytes] == ["ingest"]
    while cloud.consolidator.run_once().more:
        pass
    figures = cloud.report.figures({})
    assert (figures.lake.lag_us, figures.lake.offset, figures.journal.archived) == (0, 2, 2)
    # This sender's readings are of the gateway itself, which the lake sets apart: told as well.
    assert (figures.journal.readings, figures.journal.quarantined) == (2, 2)


def test_a_gateway_is_told_by_its_cursor_and_its_own_last_word(cloud: Cloud) -> None:
    sender = Sender(cloud.journal, "gw-1").begin()
    sender.declare()
    sender.send()
    status = pb.Status(
        backlog_rows=5, rejected=6, evicted=7, buffer_bytes=8, clock_quality=pb.CLOCK_SYNCED
    )
    here = Presence("gw-1", sender.session, START_US, "0.1", status)
    (one,) = cloud.report.figures({"gw-1": here}).gateways
    assert (one.is_connected, one.is_clock_synced, one.stored, one.archived) == (True, True, 1, 0)
    assert (one.backlog_rows, one.rejected, one.evicted, one.buffer_bytes) == (5, 6, 7, 8)
    assert one.last_seen_us == START_US
    gone = Presence("gw-1", 0, START_US, "0.1", status)
    figures = cloud.report.figures({"gw-1": gone})
    assert (figures.sessions, figures.gateways[0].is_connected) == (0, False)


def test_corrections_over_the_bound_of_a_gateway_are_told(cloud: Cloud) -> None:
    assert cloud.report.figures({}).lake.corrections_refused == 0
    cloud.report.lake._progress = replace(cloud.consolidator.run_once(), refused=3)
    assert cloud.report.figures({}).lake.corrections_refused == 3


def test_queues_and_enrolments_are_told(cloud: Cloud) -> None:
    figures = cloud.report.figures({})
    assert (figures.waiting_bytes, figures.enrolments, figures.enrolments_refused) == (12, 2, 3)
    assert figures.journal.bytes_max > figures.journal.bytes > 0
    assert (figures.journal.is_failed, figures.lake.is_faulty, figures.lake.faults) == (
        False,
        False,
        0,
    )
