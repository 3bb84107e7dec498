"""The lake behind the real journal: what was acknowledged is in history once, and stays so."""

import time
from pathlib import Path

import duckdb
import pytest

from cloud.journal.contract import Entry
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.consolidator import Consolidator
from cloud.lake.loop import ConsolidationLoop
from cloud.lake.names import Names
from cloud.live.live import Live
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH
from protos.series import EMPTY_ROOT, SeriesEntry
from tests.cloud.lake_world import T0, Gateway

WAIT_S = 30


class Line:
    """A gateway's session with a journal, in the shape that `lake_world.Gateway` sends through."""

    def __init__(self, journal: SqliteJournal, name: str = "gw-1") -> None:
        self.journal = journal
        hello = pb.Hello(
            protocol_min=1,
            protocol_max=1,
            gateway=name,
            head_hash=GENESIS_HASH,
            boot_id=bytes(15) + b"\1",
            series_root=EMPTY_ROOT,
        )
        resume = journal.hello(name, hello, 4 << 20).result(WAIT_S).replies[0].resume
        self.session = resume.session
        request = pb.EpochRequest(session=self.session, closed_epoch=0, why="new")
        decision = journal.request_epoch(name, request).result(WAIT_S)
        self.epoch = decision.replies[0].epoch_grant.epoch
        self.tables: dict[tuple[str, int], list[SeriesEntry]] = {}
        self.declared = 0

    def add(self, gateway: str, epoch: int, seq: int, data: bytes) -> Entry:
        table = self.tables[gateway, epoch]
        new = table[self.declared :]
        if new:
            first = self.declared + 1
            done = self.journal.declare(gateway, self.session, epoch, first, new).result(WAIT_S)
            assert done.replies[0].ack.series_known == len(table), done
            self.declared = len(table)
        done = self.journal.append(gateway, self.session, epoch, seq, data).result(WAIT_S)
        assert done.replies[0].ack.stored == seq, done
        return Entry(0, gateway, epoch, seq, b"", data, T0)


class World:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = SqliteJournal.open(
            root / "journal",
            now_us=lambda: time.time_ns() // 1000,
            limits=JournalLimits(segment_bytes_max=64 << 10),
        )

    def start(self) -> None:
        names = Names(self.journal.series)
        self.live = Live(self.journal, names)
        consolidator = Consolidator(self.root / "lake", self.journal, names, self.live)
        consolidator.recover()
        self.live.start()
        self.loop = ConsolidationLoop(consolidator, 0.02)
        self.loop.start()

    def stop(self) -> None:
        self.loop.stop()
        self.live.stop()


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path)
    yield world
    world.journal.close()


def count(world: World) -> tuple[int, int]:
    paths = world.live.view.tables["readings"].paths()
    sql = "SELECT count(*), count(DISTINCT (device, ts)) FROM read_parquet(?)"
    rows = duckdb.connect().execute(sql, [paths]).fetchone()
    assert rows is not None
    return rows


def test_what_was_acknowledged_is_in_history_once_through_restarts_and_trimming(world):
    line = Line(world.journal)
    gateway = Gateway(line, epoch=line.epoch)
    for round_ in range(3):
        world.start()
        for block in range(20):
            first = T0 + (20 * round_ + block) * 1000
            ts = [first + i for i in range(100)]
            values = [float(hash((round_, block, i)) % 9973) for i in range(100)]
            gateway.send(gateway.numbers(f"pump-{block % 3}", ts, values))
        if round_ != 1:
            assert world.loop.drain(world.journal.head(), 60)
            assert world.journal.archived() == world.journal.head()
            assert count(world) == (2000 * (round_ + 1),) * 2
        world.stop()
        world.journal.trim()
    world.start()
    assert world.live.book.counts() == (3, 6000, 0)
    assert count(world) == (6000, 6000)
    assert {c.gateway: c.archived for c in world.journal.cursors()} == {"gw-1": 60}
    world.stop()


def test_readings_of_no_series_are_set_apart_in_the_journal(world):
    line = Line(world.journal)
    gateway = Gateway(line, epoch=line.epoch)
    batch = gateway.numbers("pump", [T0], [1.0])
    batch.tables[next(iter(batch.tables))]["series"][:] = 0
    gateway.send(batch)
    gateway.send(gateway.numbers("pump", [T0], [1.0]))
    world.start()
    assert world.loop.drain(2, 60)
    (apart,) = world.journal.quarantined()
    assert (apart.offset, "NUMBERS of no series" in apart.reason) == (1, True)
    assert count(world) == (1, 1)
    world.stop()
