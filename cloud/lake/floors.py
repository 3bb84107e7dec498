"""What the lake keeps of its journal, so that a journal that was lost is begun anew beside it.

One small file, `floors/upto-<offset>.mp` in the lake's folder: by gateway the newest block that the
tables have passed, with its hash, and how much they passed; beside it the list of blocks set apart.
It is on the disk before `readings` is committed at that offset, so a table never stands where no
such file is. SHA-256 of the rest ‖ MessagePack. Rows that the pass has for rare tables lie beside
it until the next (`cloud.lake.level`).
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import msgspec
import pyarrow as pa

from cloud.errors import StorageError
from cloud.journal.contract import Entry
from cloud.journal.counts import EPOCHS_MAX, Counts, Tally, readings_of
from cloud.journal.cursor import Closed, Cursor
from cloud.journal.restore import Floor, Ground
from cloud.journal.sqlite.quarantine import Quarantine, Quarantined
from cloud.lake.level import mend_before_looking
from cloud.lake.table import log as lake_log
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.parquet import fsync, make_folder
from cloud.lake.table.schema import RARE, READINGS
from cloud.lake.table.table import look
from protos.block import MalformedBlock, read_header

FOLDER: Final = "floors"
APART_MAX: Final = 4096
"""Blocks set apart that are listed here, the newest; the list itself is the quarantine's."""
_DIGEST: Final = hashlib.sha256().digest_size
_READ_BYTES: Final = 8 << 20


class Source(Protocol):
    """What is needed of a journal (`cloud.journal.contract.Journal` and its quarantine)."""

    @property
    def generation(self) -> int:
        """Of the journal."""

    def archived(self) -> int:
        """The highest offset that was marked archived."""

    def counts(self) -> Mapping[str, Tally]:
        """How much was ever stored and archived of each gateway."""

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor."""

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Entries with a higher offset, in order, at least one if there is any."""

    def quarantined(self) -> list[Quarantined]:
        """All blocks set apart."""


@dataclass(frozen=True, slots=True)
class Floors:
    """The file's content: `readings` holds, or passed over, the offsets up to ``offset``.

    ``start``: where the last pass began.
    ``newest``: by gateway and epoch, the seq and hash of the newest block; ``tallies``: what was
    passed, all of it as stored and archived.
    """

    start: int
    offset: int
    generation: int
    newest: Mapping[str, Mapping[int, tuple[int, bytes]]]
    tallies: Mapping[str, Tally]
    apart: tuple[Quarantined, ...]

    def ground(self) -> Ground:
        """The same for a journal that is to be begun anew."""
        floors = (
            Floor(gateway, epoch, seq, hash)
            for gateway, epochs in self.newest.items()
            for epoch, (seq, hash) in epochs.items()
        )
        return Ground(self.offset, self.generation, tuple(floors), self.tallies)

    def after(self, entries: Sequence[Entry], apart: Sequence[Quarantined]) -> "Floors":
        """With these blocks passed as well; those at or below ``offset`` are in it already."""
        newest = {gateway: dict(epochs) for gateway, epochs in self.newest.items()}
        tallies, offset, start = dict(self.tallies), self.offset, self.offset
        told = {one.offset: one.readings for one in apart}
        for entry in (one for one in entries if one.offset > offset):
            own = newest.setdefault(entry.gateway, {})
            own[entry.epoch] = (entry.seq, entry.hash)
            while len(own) > EPOCHS_MAX:
                own.pop(min(own))
            readings = told[entry.offset] if entry.offset in told else _readings(entry.data)
            tally = tallies.get(entry.gateway, Tally()).stored(entry.epoch, 1, readings)
            tallies[entry.gateway] = tally.archived(entry.epoch, 1, readings)
            offset = entry.offset
        return Floors(start, offset, self.generation, newest, tallies, _listed(apart))


class FloorKeeper:
    """Keeps the file of the lake under ``root``; for the consolidator's thread alone."""

    def __init__(self, root: Path, journal: Source) -> None:
        self._root = root
        self._journal = journal
        self._floors = Floors(0, 0, 0, {}, {}, ())

    @property
    def start(self) -> int:
        """Where the last pass of `readings` began."""
        return self._floors.start

    def rare(self) -> dict[str, pa.Table]:
        """What the last pass had for each rare table; those without rows are absent.

        Raises:
            StorageError: it is damaged.
        """
        found = {}
        for spec in RARE:
            path = self._rare_path(spec.name, self._floors.offset)
            if path.exists():
                try:
                    found[spec.name] = lake_parquet.read([path], spec)
                except (pa.ArrowException, OSError) as error:
                    raise StorageError(f"read {path}", str(error), _LOST) from error
        return found

    def open(self, offset: int) -> None:
        """Take up the file of the offset that `readings` stands at.

        One that is not there, or damaged, is made again of what the living journal knows.
        """
        make_folder(self._root / FOLDER)
        try:
            self._floors = read_floors(self._root, offset)
        except StorageError:
            self._floors = self._of_journal(offset)
            self._write()
        if self._floors.generation != self._journal.generation:
            self._floors = replace(self._floors, generation=self._journal.generation)
            self._write()
        self._drop_all_but(offset)

    def keep(self, entries: Sequence[Entry], rare: Mapping[str, pa.Table]) -> None:
        """Bring the file for the last of these offsets to the disk; the one before stays too.

        ``rare``: what the pass has for each rare table, kept as well until the next pass.
        """
        before = self._floors.offset
        self._floors = self._floors.after(entries, self._journal.quarantined())
        for spec in RARE:
            if rare[spec.name].num_rows:
                path = self._rare_path(spec.name, self._floors.offset)
                lake_parquet.write_durably(path, rare[spec.name], spec, lake_parquet.no_step)
        self._write()
        self._drop_all_but(before, self._floors.offset)

    def note(self) -> None:
        """Write the file again if blocks were set apart, released or discarded meanwhile."""
        apart = _listed(self._journal.quarantined())
        if apart != self._floors.apart:
            self._floors = replace(self._floors, apart=apart)
            self._write()

    def _of_journal(self, offset: int) -> Floors:
        """What the cursors say as of `archived`, and the blocks from there on."""
        newest: dict[str, dict[int, tuple[int, bytes]]] = {}
        for cursor in self._journal.cursors():
            present = Closed(cursor.epoch, cursor.stored, cursor.stored_hash, cursor.archived)
            newest[cursor.gateway] = {
                one.epoch: (one.stored, one.stored_hash)
                for one in (*cursor.closed, present)
                if 0 < one.stored == one.archived  # of others the next block will tell the hash
            }
        tallies = {gateway: _passed(tally) for gateway, tally in self._journal.counts().items()}
        at = self._journal.archived()
        floors = Floors(at, at, self._journal.generation, newest, tallies, ())
        apart = self._journal.quarantined()
        while floors.offset < offset:
            read = self._journal.read(floors.offset, _READ_BYTES)
            floors = floors.after([one for one in read if one.offset <= offset], apart)
        return replace(floors, start=offset, apart=_listed(apart))

    def _write(self) -> None:
        data = msgspec.msgpack.encode(self._floors)
        path = floors_path(self._root, self._floors.offset)
        new = path.with_suffix(".new")
        new.write_bytes(hashlib.sha256(data).digest() + data)
        fsync(new)
        os.replace(new, path)
        fsync(path.parent)

    def _drop_all_but(self, *offsets: int) -> None:
        kept = {floors_path(self._root, offset) for offset in offsets}
        kept |= {self._rare_path(spec.name, offset) for spec in RARE for offset in offsets}
        for path in (self._root / FOLDER).iterdir():
            if path not in kept:
                path.unlink()

    def _rare_path(self, table: str, offset: int) -> Path:
        return self._root / FOLDER / f"{table}-{offset:016d}.parquet"


def read_floors(root: Path, offset: int) -> Floors:
    """The file of an offset in the lake under ``root``; StorageError when it cannot be believed."""
    if offset == 0:
        return Floors(0, 0, 0, {}, {}, ())
    path = floors_path(root, offset)
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
            raise StorageError(f"read {path}", "it is damaged", _LOST)
        return msgspec.msgpack.decode(data[_DIGEST:], type=Floors)
    except (OSError, msgspec.DecodeError) as error:
        raise StorageError(f"read {path}", str(error), _LOST) from error


@dataclass(slots=True)
class LakeGround:
    """What a journal beside the lake under ``root`` must not fall below; asked when it is opened.

    Its lists of blocks set apart are put back into the quarantine by `adopt_into`.
    """

    root: Path

    def ground(self) -> Ground:
        """Of the newest commit of `readings`, its log mended; nothing of a lake that is empty.

        StorageError when the table cannot be read. A lake whose floors cannot be believed only says
        how far it stands (`Ground.generation` is 0): a living journal needs no more.
        """
        if self._is_made:
            mend_before_looking(self.root)
        offset = self._offset()
        try:
            return read_floors(self.root, offset).ground()
        except StorageError:
            return Ground(offset, 0)

    def adopt_into(self, quarantine: Quarantine) -> None:
        """List blocks there that the lake knows to be set apart and the quarantine does not."""
        offset = self._offset()
        released = look(self.root, READINGS).released if offset else 0
        with suppress(StorageError):
            quarantine.adopt(read_floors(self.root, offset).apart, released)

    def _offset(self) -> int:
        return look(self.root, READINGS).offset if self._is_made else 0

    @property
    def _is_made(self) -> bool:
        """Whether its log has an entry: the first may have been torn while it was made."""
        return lake_log.exists(self.root / READINGS.name)


_LOST: Final = "while the journal lives the next start of the cloud makes it again"


def floors_path(root: Path, offset: int) -> Path:
    """Where the lake under ``root`` keeps what it knows of its journal up to ``offset``."""
    return root / FOLDER / f"upto-{offset:016d}.mp"


def _readings(data: bytes) -> int:
    try:
        return readings_of(read_header(data)[0])
    except MalformedBlock:
        return 0


def _passed(tally: Tally) -> Tally:
    """The archived part of a tally, as all there is."""
    return Tally(
        {
            epoch: Counts(*_archived(one), *_archived(one))
            for epoch, one in tally.epochs.items()
            if one.archived_blocks
        }
    )


def _archived(counts: Counts) -> tuple[int, int]:
    return counts.archived_blocks, counts.archived_readings


def _listed(apart: Sequence[Quarantined]) -> tuple[Quarantined, ...]:
    return tuple(sorted(apart, key=lambda one: one.since_us)[-APART_MAX:])
