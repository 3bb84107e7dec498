"""A whole cloud without threads of its own, at work on one home.

Journal, registry, ledger and lake are the product's files; consolidation is together, or apart:
then it reads the journal's files and asks its parent for the rest, message by message, as the
process of its own does. So are blocks decoded for the view: apart, by a decoder that is asked over
a socket.
"""

import itertools
from pathlib import Path
from typing import Any

from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.consolidator import Consolidator
from cloud.lake.floors import FloorKeeper, LakeGround
from cloud.lake.names import Names
from cloud.lake.release import Releases
from cloud.lake.sorter import Sorter
from cloud.lake.table.sweep import Sweeper
from cloud.lake.upkeep import Upkeep
from cloud.live.live import Live
from cloud.live.step import Steps
from cloud.query.history import Query
from cloud.registry.registry import Registry
from cloud.retention.removal import Retention
from cloud.retention.rules import Rules
from cloud.roles.consolidator import JournalThere, ViewersThere
from cloud.roles.desk import Desk
from cloud.series.marks import Marks
from cloud.series.operations import Operations
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_runs import Crash
from tests.cloud.lake_world import DAY_US, T0
from tests.cloud.roles.decoder_here import decoder_here
from tests.cloud.roles.role_here import Here
from tests.cloud.whole.whole_due import KEEPS

QUIET_S = 60.0
ROWS_AT_ONCE = 12
"""So few that a pass over blocks of two gateways has two parts."""
RULES = Rules.of({f"rule-{at}": rule for at, rule in enumerate(KEEPS.values())})


class Home:
    """Begins, ends, and has its consolidation taken over; crashes at a step when told to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.is_apart = False
        self.clock = itertools.count(1_800_000_000_000_000, 1000)
        self.steps_left = 0
        self.now_s, self.today = 0.0, 0
        self.lines: dict[str, Line] = {}
        self._open()

    def _open(self) -> None:
        lake = self.root / "lake"
        beside = LakeGround(lake)
        self.journal = SqliteJournal.open(
            self.root / "journal", now_us=lambda: next(self.clock), ground=beside.ground,
            limits=JournalLimits(segment_bytes_max=16 << 10),
        )  # fmt: skip
        beside.adopt_into(self.journal.quarantined_blocks)
        for line in self.lines.values():
            line.journal = self.journal
        self.registry = Registry.open(self.root / "registry.db", 1 << 40)
        self.operations, self.marks = Operations(self.registry), Marks(self.registry)
        names = Names(self.journal.series)
        steps = decoder_here(self.root, Steps(self.journal, names)) if self.is_apart else None
        self.live = Live(self.journal, names, steps=steps)
        self.query = Query(self.live, threads=1)
        self._begin()

    def _begin(self) -> None:
        """Have a consolidator take the lake, as the cloud's start and a child's do."""
        lake = self.root / "lake"
        journal: Any = self.journal
        viewers: Any = self.live
        apart = self.journal.quarantined_blocks
        if self.is_apart:
            parent: Any = Here(Desk(self.journal, self.live, lambda _: None))
            journal = JournalThere(parent, self.root / "journal", self.journal.generation)
            viewers, apart = ViewersThere(parent), journal.apart
        self._there = journal if self.is_apart else None
        names = Names(journal.series)
        self.consolidator = Consolidator(
            lake, journal, names, viewers, step=self._step,
            releases=Releases(apart, names, lambda: next(self.clock)),
            floors=FloorKeeper(lake, journal), upkeep=self._upkeep(), rows_at_once=ROWS_AT_ONCE,
        )  # fmt: skip
        self.consolidator.recover()

    def _upkeep(self) -> Upkeep:
        sorter = Sorter(quiet_s=QUIET_S, rows_a_slice=8, clock=lambda: self.now_s)
        upkeep = Upkeep(sorter, Retention(RULES, lambda: self.clock_us))
        upkeep.sweeper = Sweeper(grace_s=0.0)
        return upkeep

    @property
    def clock_us(self) -> int:
        """The end of today, of which something was said."""
        return T0 + (self.today + 1) * DAY_US - 1

    def _step(self, name: str) -> None:
        self.steps_left -= 1
        if self.steps_left == 0:
            raise Crash(name)

    def _leave(self) -> None:
        self.consolidator.close()
        if self._there is not None:
            self._there.rest()
            self._there.apart.close()

    def close(self) -> None:
        self._leave()
        self.query.close()
        self.live.stop()
        self.journal.close()
        self.registry.close()

    def lose_consolidation(self) -> None:
        """Its process ends, where it is apart, and another has the lake; else it is opened anew."""
        if self.is_apart:
            self._leave()
            self._begin()
        else:
            self.consolidator.recover()
