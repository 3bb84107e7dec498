"""A gateway's card with the real buffer on it: `edge.store.buffer.Buffer` over a drive.

It answers as `tests.sim.card.Buffer` does. What it holds is told by value: each reading has a
number of its own, and a note of gaps is told by its chunk and by how many readings it declares.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import apsw

from edge.chunk import Chunk as Taken
from edge.errors import StorageError
from edge.seal import AeadSealer, pick_cipher
from edge.store.buffer import Buffer
from edge.store.commit import Waiting
from edge.store.limits import StoreLimits
from edge.store.pieces import COLUMNS, Piece
from edge.store.prepare import prepare_chunk
from edge.sync_effects import BufferState
from protos.block import Block, ChunkRun
from protos.records import Batch, Kind
from protos.series import SeriesEntry
from tests.crash.power import Drive
from tests.sim.card import NAME, Note, Unit
from tests.sim.disks import CUT_SOON_STEPS, Disks, Files

FILE = "buffer.db"
OPENING_IS_CUT = 0.2
sealer = partial(AeadSealer, cipher=pick_cipher(""))


class Narrow(StoreLimits):
    """The product's bounds with the wall of the file so near that a world meets it."""

    @property
    def pages_max(self) -> int:
        return 88


@dataclass(frozen=True)
class Image:
    """A copy of a card, and what is on it."""

    files: Files
    units: frozenset[Unit]
    sizes: dict[tuple[int, int], int]

    def copy(self) -> "Image":
        return self

    def holds(self) -> set[Unit]:
        return set(self.units)


@dataclass(frozen=True)
class Held:
    """A chunk: what is in it, and its records, scores included."""

    units: tuple[Unit, ...]
    records: int


@dataclass(frozen=True)
class Picture:
    """What the tables hold: chunks by number, blocks by name as (first, last, records)."""

    chunks: dict[int, Held]
    blocks: dict[tuple[int, int], tuple[int, int, int]]

    @property
    def loose(self) -> dict[int, Held]:
        """What is in no block."""
        spans = [(first, last) for first, last, _ in self.blocks.values()]
        return {
            no: held
            for no, held in self.chunks.items()
            if not any(first <= no <= last for first, last in spans)
        }

    @property
    def sealed(self) -> set[Unit]:
        loose = self.loose
        inside = (held for no, held in self.chunks.items() if no not in loose)
        return {unit for held in inside for unit in held.units}

    @property
    def notes(self) -> set[Note]:
        units = (unit for held in self.chunks.values() for unit in held.units)
        return {unit for unit in units if not isinstance(unit, int) and len(unit) == 3}

    def released(self, above: tuple[int, int]) -> int:
        """Records of the blocks above this name whose chunks are no longer here."""
        return sum(
            records - sum(held.records for no, held in self.chunks.items() if first <= no <= last)
            for name, (first, last, records) in self.blocks.items()
            if name > above
        )


def units_of(batch: Batch, chunk: tuple[bytes, int]) -> tuple[Unit, ...]:
    """The readings by their numbers; gaps as (prefix, number, readings that they declare)."""
    readings = tuple(int(value) for value in batch.kind(Kind.NUMBERS)["value"])
    gaps = batch.kind(Kind.GAPS)["count"]
    said = tuple(int(text.split()[0]) for text in batch.kind(Kind.TEXTS)["text"])
    told = ((*chunk, int(gaps.sum())),) if len(gaps) else ()
    return (*readings, *said, *told)


@dataclass(eq=False)
class CardOnDisk:
    """The open buffer; every failing disk is told by `drive`, to be settled by `start_again`."""

    disks: Disks
    limits: StoreLimits
    boot_id: bytes
    drive: Drive
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    changes: int = 0
    buffer: Buffer = field(init=False)

    def __post_init__(self) -> None:
        self._open()

    @classmethod
    def new(
        cls, disks: Disks, limits: StoreLimits, boot_id: bytes, image: Image | None = None
    ) -> "CardOnDisk":
        files = disks.young if image is None else image.files
        sizes = {} if image is None else dict(image.sizes)
        return cls(disks, limits, boot_id, disks.drive("card", files), sizes)

    def _open(self) -> None:
        """As after any start; the power may go while the log is recovered, again and again."""
        chance = self.disks.chance
        while True:
            drive = self.drive
            if chance.random() < OPENING_IS_CUT:
                drive.cut_at = drive.operations + chance.randint(1, CUT_SOON_STEPS)
            try:
                self.buffer = Buffer(
                    drive.folder / FILE,
                    gateway=NAME,
                    keys=self.disks.keys,
                    limits=self.limits,
                    boot_id=self.boot_id,
                    sealer=sealer,
                )
            except (StorageError, apsw.Error):
                if not drive.is_cut:
                    raise
                self.drive = self.disks.after_crash("card", drive)
            else:
                drive.cut_at = 0
                self.changes += 1
                return

    def start_again(self, boot_id: bytes) -> None:
        """The process has died, perhaps because the power went."""
        was_cut, self.drive.is_cut = self.drive.is_cut, True
        with suppress(StorageError, apsw.Error):
            self.buffer.abandon()
        self.drive.is_cut = was_cut
        self.drive = self.disks.after_crash("card", self.drive)
        self.boot_id = boot_id
        self._open()

    def throw_away(self) -> None:
        self.drive.is_cut = True
        with suppress(StorageError, apsw.Error):
            self.buffer.abandon()
        self.disks.gone(self.drive)

    def keep(self, taken: Taken) -> ChunkRun:
        """Commit one chunk; BufferFull, or the disk's own failure."""
        waiting = Waiting(prepare_chunk(taken, self.limits), Future())
        self.buffer.keep([waiting])
        run = waiting.future.result()
        self._changed()
        return run

    def seal(
        self, bytes_target: int, mono_us: int, wall_us: int, *, newest_first: bool
    ) -> Block | None:
        block = self.buffer.blocks.seal_next(
            bytes_target, mono_us, wall_us, newest_first=newest_first
        )
        if block is not None:
            self.sizes[block.header.epoch, block.header.seq] = len(block.data)
        self._changed()
        return block

    def blocks_from(self, seq: int, bytes_max: int) -> list[Block]:
        return self.buffer.blocks.blocks_from(seq, bytes_max)

    def entries_from(self, first: int, limit: int) -> list[SeriesEntry]:
        return self.buffer.entries_from(first, limit)

    def mark(self, stored: int, archived: int, generation: int) -> None:
        self.buffer.release.mark(stored, archived, generation)
        self._changed()

    def begin_epoch(
        self, epoch: int, dropped: Sequence[ChunkRun], kept: tuple[int, int], generation: int
    ) -> BufferState:
        self.buffer.release.begin_epoch(epoch, dropped, kept, generation)
        self._changed()
        return self.state()

    def _changed(self) -> None:
        self.changes += 1
        self.buffer.write_back()

    def tend(self) -> None:
        """What the store's thread does when nothing waits."""
        self.buffer.tend()
        self._changed()

    def state(self) -> BufferState:
        return self.buffer.release.state()

    @property
    def epoch(self) -> int:
        return self.state().epoch

    @property
    def stored(self) -> int:
        return self.state().stored

    @property
    def generation(self) -> int:
        return self.state().generation

    def picture(self) -> Picture:
        """Read from the tables; what does not open is not there."""
        rows = self._rows(f"SELECT {COLUMNS} FROM chunks ORDER BY no")
        chunks = {row[0]: Held(self._units(row), row[1]) for row in rows}
        blocks = self._rows("SELECT epoch, seq, first, last, rows FROM blocks")
        return Picture(chunks, {(row[0], row[1]): (row[2], row[3], row[4]) for row in blocks})

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.buffer._file.rows(sql)

    def _units(self, row: Any) -> tuple[Unit, ...]:
        no, data = row[0], row[3]
        if (known := self.disks.opened.get(data)) is None:
            piece = self.buffer.blocks._pieces.open(row)
            known = ()
            if isinstance(piece, Piece):
                (run,) = self.buffer._rows.runs([no])
                known = units_of(piece.batch, (run.prefix, run.first))
            self.disks.opened[data] = known
        return known

    def holds(self) -> set[Unit]:
        units = [unit for held in self.picture().chunks.values() for unit in held.units]
        assert len(units) == len(set(units)), "a reading is on the card twice"
        return set(units)

    def waiting(self, durable: set[Unit]) -> list[int]:
        """Sizes of the blocks of the epoch that are sealed and that the cloud does not hold."""
        state, picture = self.state(), self.picture()
        numbers = [seq for epoch, seq in sorted(picture.blocks) if epoch == state.epoch]
        held = [seq for seq in numbers if seq > state.stored]
        assert held == [*range(state.head - len(held) + 1, state.head + 1)], "a seq has no block"
        assert not held or held[0] <= state.stored + 1, "a seq has no block"
        found = []
        assert held or state.head <= state.stored, "a seq has no block"
        for seq in held:
            first, last, _ = picture.blocks[state.epoch, seq]
            inside = (held for no, held in picture.chunks.items() if first <= no <= last)
            if not durable.issuperset(unit for one in inside for unit in one.units):
                found.append(self.sizes.get((state.epoch, seq), 0))
        return found

    def copy(self) -> Image:
        return Image(self.drive.durable(), frozenset(self.holds()), dict(self.sizes))
