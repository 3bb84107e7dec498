"""One life of a process that consolidates: a journal and a lake of a story, until it is killed.

The real journal, the real lake, the product's own steps; made small, so that a few blocks bring
every one of them: merges, checkpoints, sorting, retention, corrections, blocks set apart and
released. What was acknowledged is told outside the home before the next block is sent.
"""

import itertools
import random
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import structs

import cloud.lake.consolidator
from cloud.config import CloudConfig
from cloud.errors import OperatorError, StorageError
from cloud.journal.sqlite.quarantine import Quarantined, State
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake import embedded as lake_embedded
from cloud.lake import made as lake_made
from cloud.lake import plan as lake_plan
from cloud.lake import sort as lake_sort
from cloud.lake import sort_plan as lake_sort_plan
from cloud.lake import sorter as lake_sorter
from cloud.lake.consolidator import Consolidator
from cloud.lake.floors import FloorKeeper, LakeGround
from cloud.lake.names import Names
from cloud.lake.rebuild import rebuild
from cloud.lake.release import Releases
from cloud.lake.sorter import Sorter
from cloud.lake.table import forms, parquet, table
from cloud.lake.upkeep import Upkeep
from cloud.lake.vacuum import vacuum
from cloud.retention.erasure import Wish, erase
from cloud.retention.preview import carry_out
from cloud.retention.removal import Retention
from cloud.retention.rules import Rules
from cloud.settings import CloudSettings, Journal
from protos.block import MalformedBlock
from protos.settings import read_settings
from tests.cloud.lake_runs import Viewer
from tests.crash.lake_line import WAIT_S, Line
from tests.crash.lake_story import GATEWAYS, RULE, Sort, Story, place, wish

KIB: Final = 1024
LIMITS: Final = JournalLimits(
    bytes_max=4 * KIB * KIB, segment_bytes_max=64 * KIB, replay_bytes_min=4 * KIB
)
SMALL: Final = (
    (lake_plan, "MERGE_FILES", 3),
    (lake_made, "HELD_ROWS_MAX", 4),
    (table, "CHECKPOINT_EVERY", 4),
    (table, "LOG_KEPT", "interval 0 seconds"),
    (parquet, "ROW_GROUP", 3),
    (lake_sort_plan, "ROWS_MAX", 12),
    (lake_sort_plan, "ROWS_TARGET", 9),
    (lake_sort_plan, "LOOSE_ROWS_MIN", 30),
    (lake_sort, "BYTES_HELD", 4_000),
    (lake_sorter, "BYTES_HELD", 100_000),
    (forms, "_TRIED_ROWS_MIN", 8),
)


def make_small() -> None:
    """In this process: a few rows make a row group, a few files a merge."""
    for module, name, value in SMALL:
        assert hasattr(module, name), name
        setattr(module, name, value)


@dataclass
class Life:
    """``home`` holds journal and lake; ``chance`` is of this life, ``acked`` a file outside.

    ``erased``: a file outside as well, of the orders to erase that were told to be carried out.
    """

    home: Path
    story: Story
    chance: random.Random
    acked: Path
    erased: Path

    @property
    def lake_folder(self) -> Path:
        """Of the tables."""
        return self.home / "lake"

    def serve(self, upto: int, *, settles: bool) -> dict[str, int]:
        """Send the story up to a block and consolidate meanwhile; till nothing is left to do."""
        self._open(upto)
        while (head := self.journal.head()) < upto:
            self._send(head + 1)
            for _ in range(self.chance.randrange(3)):
                self.lake.run_once()
            if self.chance.random() < 0.3:
                self._release()
            if self.chance.random() < 0.2:
                self.journal.seal().result(WAIT_S)
                self.journal.trim()
        while self.lake.run_once().more:
            pass
        while settles and (self._release() | self._is_behind()):
            pass
        told = {
            "head": self.journal.head(),
            "archived": self.journal.archived(),
            "released": sum(one.state is State.RELEASED for one in self._apart()),
            "apart": sum(one.state is not State.RELEASED for one in self._apart()),
            "retired": self.upkeep.retired.by_epoch().total(),
            "erased": self.upkeep.retired.erased_by_epoch().total(),
        }
        self.lake.close()
        self.journal.close()
        return told

    def command(self, name: str, upto: int) -> dict[str, int]:
        """What an operator does while the cloud is stopped; what a start has to mend refuses."""
        now_us = self.story.now_us(upto)
        try:
            if name == "rebuild":
                rebuild(self.lake_folder)
            elif name == "erase":
                self._erase(upto)
            elif name == "retention":
                carry_out(self.lake_folder, Rules([RULE]), now_us, 0, lambda *_: None)
            else:
                vacuum(self.lake_folder, 0.0, time.time() + 1.0)
        except StorageError as error:
            if not any(why in str(error) for why in ("different offsets", ".torn is damaged")):
                raise
        return {}

    def _erase(self, upto: int) -> None:
        self._refuse()
        journal = Journal(segment_bytes=64 * KIB, bytes_max=4 * KIB * KIB, free_bytes_min=0)
        settings = structs.replace(read_settings("", CloudSettings), journal=journal)
        config = CloudConfig(self.home, settings)
        try:
            found = erase(config, Wish(*wish(self.chance, upto), upto, "operator", "asked"))
        except OperatorError as error:
            if "nothing of that name" not in str(error):
                raise
            return
        if found.order.is_done:
            with self.erased.open("a") as erased:
                erased.write(f"{found.order.number}\n")

    def _open(self, upto: int) -> None:
        beside = LakeGround(self.lake_folder)
        self.journal = SqliteJournal.open(
            self.home / "journal",
            now_us=lambda: time.time_ns() // 1000,
            limits=LIMITS,
            ground=beside.ground,
        )
        beside.adopt_into(self.journal.quarantined_blocks)
        said = [int(line) for line in self.acked.read_text().split()] if self.acked.exists() else []
        assert self.journal.head() >= max(said, default=0), "an acknowledged block is lost"
        self._refuse()
        names = Names(self.journal.series)
        now_us, ticks = self.story.now_us(upto), itertools.count()
        quiet_s = self.chance.choice((0.0, 6.0, 1e9))
        sorter = Sorter(
            quiet_s=quiet_s,
            rows_a_slice=self.chance.choice((5, 1000)),
            clock=lambda: float(next(ticks)),
            free=lambda _: 1 << 40,
        )
        self.upkeep = Upkeep(sorter, Retention(Rules([RULE]), lambda: now_us))
        self.lake = Consolidator(
            self.lake_folder,
            self.journal,
            names,
            Viewer(),
            releases=Releases(self.journal.quarantined_blocks, names, lambda: now_us),
            floors=FloorKeeper(self.lake_folder, self.journal),
            upkeep=self.upkeep,
            bytes_per_pass=self.chance.choice((1, 2 * KIB, 1 << 20)),
            rows_at_once=self.chance.choice((16, 1 << 20)),
        )
        self.upkeep.sweeper._grace_s = self.chance.choice((0.0, 60.0))
        self.lake.recover()
        self.lines = {name: Line(self.journal, name) for name in GATEWAYS}

    def _send(self, block: int) -> None:
        name, seq = place(block)
        self.lines[name].send(seq, self.story, block)
        with self.acked.open("a") as acked:
            acked.write(f"{block}\n")

    def _is_behind(self) -> bool:
        done = self.lake.run_once()
        return done.more or done.merged > 0 or done.is_upkeep_behind or self.upkeep.is_behind

    def _apart(self) -> list[Quarantined]:
        return self.journal.quarantined()

    def _release(self) -> bool:
        """As an operator does with blocks that an older version refused; whether any waits."""
        waiting = [
            one
            for one in self._apart()
            if one.state in (State.HELD, State.RELEASING)
            and self.story.sort(one.offset) is not Sort.POISON
        ]
        for one in waiting:
            if one.state is State.HELD:
                self.journal.quarantined_blocks.release(one)
        return bool(waiting)

    def _refuse(self) -> None:
        """Passes refuse some blocks; what is released is taken by what reads them then."""
        decode, read_block = cloud.lake.consolidator.decode, lake_embedded.read_block
        refused: set[bytes] = set()

        def read(data: bytes):
            if sha256(data).digest() in refused:
                raise MalformedBlock("an older version cannot read this", "here")
            return read_block(data)

        def passes(entries, names, pause):
            refused.update(
                sha256(one.data).digest()
                for one in entries
                if self.story.sort(one.offset) is Sort.REFUSED
            )
            try:
                return decode(entries, names, pause)
            finally:
                refused.clear()

        lake_embedded.read_block = read
        cloud.lake.consolidator.decode = passes
