"""A real journal and a real lake in one home, filled by gateways, so that both can be recounted."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.consolidator import Batch, Consolidator
from cloud.lake.floors import FloorKeeper, LakeGround
from cloud.lake.names import Names
from cloud.lake.table.parquet import no_step
from cloud.lake.upkeep import Upkeep
from protos import records
from protos.records import Batch as Rows
from protos.records import GapReason, Kind
from tests.cloud.lake_runs import Viewer
from tests.contract.segmented import SMALL
from tests.contract.sender import Sender

T0 = 1_700_006_400_000_000


class Home:
    """Journal and lake under one folder; `stop` closes both, `start` opens them again."""

    def __init__(self, root: Path, limits: JournalLimits = SMALL) -> None:
        self.root, self.limits = root, limits
        self.clock = itertools.count(T0, 1000)
        self.senders: dict[str, Sender] = {}
        self.step = no_step
        self.upkeep: Callable[[], Upkeep] = Upkeep
        self.start()

    def start(self) -> None:
        beside = LakeGround(self.root / "lake")
        self.journal = SqliteJournal.open(
            self.root / "journal",
            now_us=lambda: next(self.clock),
            limits=self.limits,
            ground=beside.ground,
        )
        beside.adopt_into(self.journal.quarantined_blocks)
        self.viewer = Viewer()
        self.lake = Consolidator(
            self.root / "lake",
            self.journal,
            Names(self.journal.series),
            self.viewer,
            floors=FloorKeeper(self.root / "lake", self.journal),
            upkeep=self.upkeep(),
            step=self.step,
        )
        self.lake.recover()
        for sender in self.senders.values():
            sender.journal = self.journal

    def stop(self) -> None:
        self.lake.close()
        self.journal.close()

    def sender(self, name: str) -> Sender:
        if name not in self.senders:
            self.senders[name] = Sender(self.journal, name).begin()
            self.senders[name].declare(2)
        return self.senders[name]

    def send(self, name: str, count: int = 5, lost: int = 0, every_us: int = 1) -> None:
        """One block of `count` readings, and a gap of `lost` readings if any."""
        batch = self.rows(name, count, every_us)
        self.sender(name).send(batch=records.concat([batch, gap(lost)]) if lost else batch)

    def rows(self, name: str, count: int, every_us: int = 1) -> Rows:
        """What the next block of `count` readings holds."""
        sender = self.sender(name)
        times = T0 + len(sender.blocks) * 60_000_000 + every_us * np.arange(count)
        values = np.random.default_rng(len(sender.blocks)).random(count)
        return records.numbers(1 + np.arange(count) % 2, times, values, np.zeros(count), times)

    def poison(self, name: str, readings: int = 7) -> None:
        """One block that no lake takes: readings of no series."""
        self.sender(name).send(8 * (readings - 1))

    def drain(self) -> None:
        while self.lake.run_once().more:
            pass

    def batch(self) -> Batch:
        assert self.viewer.batch is not None
        return self.viewer.batch


def gap(count: int) -> Rows:
    columns = {
        "series": 0, "ts": np.array([T0], np.int64), "to": T0 + 5, "count": count,
        "reason": int(GapReason.EVICTED), "seq_from": 0, "seq_to": 0,
    }  # fmt: skip
    return records.table(Kind.GAPS, columns)
