"""The real lake of a simulated world: the product's consolidator over Delta tables in a folder.

Its disk does not tear; a committer dies between any two steps, or is paused while another one
goes on. What is in the tables is read from their files, and told by value.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cloud.errors import StorageError
from cloud.lake.consolidator import Batch, Consolidator
from cloud.lake.embedded import Decoded
from cloud.lake.names import Names
from cloud.lake.table.schema import GAPS, RARE, READINGS, ROLLUPS, is_whole
from cloud.lake.table.table import State, covered, look
from cloud.ledger.of_lake import counted_by
from tests.sim.card import Unit
from tests.sim.cloud_on_disk import FAILURES, CloudOnDisk
from tests.sim.disks import Disks
from tests.sim.lake import Lake

RARE_NAMES = tuple(spec.name for spec in RARE)
BYTES_PER_PASS = (3_000, 1 << 20)
PASS_DIES = 0.04
STEPS_OF_A_PASS = 40
NEW_COMMITTER = 0.1
STALE = ("another process did", "no longer holds", "trimmed already")
LEFT_BEHIND = ("lock", "attempt.json")


class DiedError(Exception):
    """The process of the cloud ended between two steps of a committer."""


class LakeOnDisk(Lake):
    """The tables below ``folder``; `see` looks at them anew."""

    def __init__(self, disks: Disks, folder: Path) -> None:
        super().__init__()
        self.disks, self.folder = disks, folder
        self._read: dict[str, frozenset[int]] = {}
        self._gaps: dict[str, Counter[tuple[int, int]]] = {}

    def see(self, notes: Mapping[tuple[int, int], Unit]) -> None:
        """Values by the files of `readings`; what `gaps` declares by (epoch, seq) of its block."""
        if not (self.folder / READINGS.name).is_dir():
            return
        state = look(self.folder, READINGS, RARE_NAMES)
        self.offset = state.offset
        self._read = {path: self._read.get(path) or values_in(path) for path in _paths(state)}
        self.rows = set[Unit]().union(*self._read.values())
        told = sum(map(len, self._read.values()))
        if told > len(self.rows):
            self.doubled |= {
                unit for unit in self.rows if sum(unit in held for held in self._read.values()) > 1
            }
        self.rows |= self._told(notes)

    def _told(self, notes: Mapping[tuple[int, int], Unit]) -> set[Unit]:
        if not (self.folder / GAPS.name).is_dir():
            return set()
        paths = _paths(look(self.folder, GAPS))
        self._gaps = {path: self._gaps.get(path) or gaps_in(path) for path in paths}
        found: set[Unit] = set()
        for where, count in sum(self._gaps.values(), Counter[tuple[int, int]]()).items():
            note = notes[where]
            assert isinstance(note, tuple)
            assert note[-1] == count, f"the lake tells of {count} records lost, {note[-1]} were"
            found.add(note)
        return found

    def check_rollups(self) -> None:
        """Every reading is counted once in each rollup."""
        rows = sum(map(len, self._read.values()))
        for spec in filter(is_whole, ROLLUPS):
            paths = _paths(look(self.folder, spec))
            counted = sum(counted_by(Path(path)).total() for path in paths)
            assert counted == rows, f"{spec.name} counts {counted} of {rows} readings"

    def copy(self) -> "LakeOnDisk":
        folder = self.disks.folder("lake")
        ignored = shutil.ignore_patterns(*LEFT_BEHIND)
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, ignore=ignored)
        copied = LakeOnDisk(self.disks, folder)
        copied.generation, copied.offset = self.generation, self.offset
        copied.quarantined = set(self.quarantined)
        return copied


def _paths(state: State) -> list[str]:
    return state.files.paths()


def values_in(path: str) -> frozenset[int]:
    """The readings of one file; one that is in it twice is told at once."""
    rows = pq.read_table(path, columns=["value", "text"], partitioning=None).to_pydict()
    values = [int(value) for value in rows["value"] if value is not None]
    values += [int(text.split()[0]) for text in rows["text"] if text]
    assert len(values) == len(set(values)), "a reading is in one file twice"
    return frozenset(values)


def gaps_in(path: str) -> Counter[tuple[int, int]]:
    """Records that the blocks (epoch, seq) in one file of `gaps` declare as lost."""
    rows = pq.read_table(path, columns=["epoch", "seq", "count"], partitioning=None).to_pydict()
    found: Counter[tuple[int, int]] = Counter()
    for epoch, seq, count in zip(rows["epoch"], rows["seq"], rows["count"], strict=True):
        found[epoch, seq] += count
    return found


class Nobody:
    """Viewers of a lake at which nobody looks."""

    def publish(self, batch: Batch) -> None:
        """Seen by nobody."""

    def released(self, decoded: Decoded) -> None:
        """Seen by nobody."""

    def in_use(self) -> frozenset[str]:
        return frozenset()


class Source:
    """The journal as a committer has it: whatever process has it open now."""

    def __init__(self, cloud: "CloudWithLake") -> None:
        self._cloud = cloud

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cloud.journal, name)

    def mark_archived(self, offset: int) -> Future[None]:
        marked = self._cloud.journal.mark_archived(offset)
        self._cloud.commit()
        if self._cloud.is_dead:
            raise DiedError
        return marked


class CloudWithLake(CloudOnDisk):
    """A cloud whose committers are the product's; ``handle`` is the one at work."""

    handle: Consolidator | None = None  # type: ignore[assignment]
    lake: LakeOnDisk

    def begin_lake(self) -> None:
        self.lake = LakeOnDisk(self.disks, self.disks.folder("lake"))
        self.committers: list[Consolidator] = []
        self.bytes_per_pass = self.chance.choice(BYTES_PER_PASS)
        self.dies, self._steps_left = PASS_DIES, 0

    def heal(self) -> None:
        self.handle, self.dies, self.bytes_per_pass = None, 0.0, max(BYTES_PER_PASS)

    def check_all(self) -> None:
        self.lake.check_rollups()

    def plan(self, count: int) -> None:
        """Another committer takes the lake; whoever had it does not know yet."""
        if self.handle is not None:
            return
        for committer in self.committers:
            committer.close()
        committer = Consolidator(
            self.lake.folder,
            Source(self),
            Names(lambda *epoch: self.journal.series(*epoch)),
            Nobody(),
            bytes_per_pass=self.bytes_per_pass,
            step=self._step,
        )
        self.committers = [committer]
        self._carry_out(committer.recover, committer)

    def consolidate(self) -> None:
        if self.handle is not None:
            committer, self.handle = self.handle, None
            self._carry_out(committer.run_once, committer)

    def _carry_out(self, work: Callable[[], object], committer: Consolidator) -> None:
        dies = self.chance.random() < self.dies
        self._steps_left = self.chance.randint(1, STEPS_OF_A_PASS) if dies else 0
        try:
            work()
        except DiedError:
            self.is_dead = True
        except FAILURES as error:
            self._refused(error)
        else:
            if self.chance.random() >= NEW_COMMITTER:
                self.handle = committer
        self.is_dead |= self.drive.is_cut
        if not self.is_dead:  # else it is seen once the next process has opened the journal
            self.see()

    def _refused(self, error: Exception) -> None:
        is_stale = any(why in str(error) for why in STALE)
        assert is_stale or self.drive.is_cut or self.drive.is_full, f"no pass: {error}"
        self.is_dead |= self.drive.is_cut
        self.reached["stale commit refused"] += is_stale

    def _step(self, _: str) -> None:
        self._steps_left -= 1
        if self._steps_left == 0:
            self.reached["committer died"] += 1
            raise DiedError

    def see(self) -> None:
        blocks = self.disk.blocks
        notes = {
            (block.header.epoch, block.header.seq): unit
            for block in blocks
            for unit in block.units
            if isinstance(unit, tuple)
        }
        self.lake.see(notes)
        poison = self.poison(self.lake.offset)
        self.reached["poison quarantined"] += len(poison) > len(self.lake.quarantined)
        self.lake.quarantined = poison
        assert self.journal.archived() <= covered_by(self.lake.folder), "archived before it was"
        self.changes += 1

    def crash(self) -> None:
        if self.handle is not None:
            self.handle.close()
            self.handle = None
        super().crash()
        self.see()

    def restore(self, disk: Any, lake: Lake, *, with_lake: bool) -> None:
        self.handle = None
        super().restore(disk, lake, with_lake=with_lake)
        self.see()


def covered_by(folder: Path) -> int:
    """What all tables have; 0 before they were made."""
    try:
        return covered(folder)
    except StorageError:
        return 0
