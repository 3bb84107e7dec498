"""A closed buffer looked at and not changed: what it holds, and what of it is damaged.

For the command line while no agent runs. Nothing is set aside, mended or written back; even the log
stays as it was found.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from edge.errors import OperatorError
from edge.keys import KeySource
from edge.seal import RowKind, SealError, WrappedKey, unwrap_key
from edge.store.blocks import Blocks
from edge.store.buffer import best_sealer
from edge.store.file import BufferFile, prepare, telling
from edge.store.limits import PAGE_BYTES, StoreLimits
from edge.store.memory import Memory, State, read_entry, read_recipe, read_state
from edge.store.pieces import COLUMNS, Bad, Piece, Pieces
from edge.store.renamed import delivered_as
from edge.store.rows import SealedRows, data_key, key_ids, number_identity
from protos.block import GENESIS_HASH
from protos.codec.wire import MalformedEntry
from protos.series import EMPTY_ROOT, SeriesEntry, roll

RATE_CHUNKS: Final = 1000
"""The newest chunks that the present rate is told from."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as it was written; ``rows`` records are lost with it."""

    name: str
    reason: str
    rows: int = 0


@dataclass(slots=True)
class Holding:
    """What a closed buffer holds; bytes on the disk, ``rows_per_s`` by the readings' own times."""

    rows: int = 0
    chunks: int = 0
    blocks: int = 0
    quarantined: int = 0
    used_bytes: int = 0
    rows_per_s: float = 0.0
    from_us: int = 0
    to_us: int = 0
    counters: dict[str, int] = field(default_factory=dict)


class Inspection:
    """An open look at a closed buffer; use `Inspection.of`."""

    def __init__(self, file: BufferFile, gateway: str, kek: bytes, key: bytes) -> None:
        self._file = file
        self._gateway = gateway
        self._kek = kek
        self._rows = SealedRows(file, gateway, key, best_sealer(key))
        self._memory = Memory()
        self._pieces = Pieces(self._rows, self._memory)
        self._root = EMPTY_ROOT
        name = delivered_as(self._rows, gateway)
        self._blocks = Blocks(self._rows, self._memory, name, bytes(16))

    @classmethod
    @contextmanager
    def of(
        cls, path: Path, *, gateway: str, keys: KeySource, limits: StoreLimits
    ) -> Iterator[Self]:
        """Open a buffer that no agent has open.

        Raises:
            OperatorError: there is no buffer, or no key.
            StorageError: an agent has it, its key is wrong, or SQLite cannot read it.
        """
        if not path.exists():
            hint = "`tidegate-edge run` makes it when the first reading is kept"
            raise OperatorError(f"read the buffer {path}", "there is none", hint)
        prepare(path)
        file = BufferFile(path, limits, keeps_aside=False)
        try:
            with telling(path, "read"):
                kek = keys.key_for(key_ids(file))
                yield cls(file, gateway, kek, data_key(file, kek, gateway))
        finally:
            file.abandon()

    def holding(self) -> Holding:
        """Counts and sizes."""
        one = self._file.one
        rows, chunks, first, last = one(
            "SELECT coalesce(sum(rows), 0), count(*), coalesce(min(from_us), 0), "
            "coalesce(max(to_us), 0) FROM chunks WHERE priority < 2"
        ) or (0, 0, 0, 0)
        newest, begin, end = one(
            "SELECT coalesce(sum(rows), 0), min(from_us), max(to_us) FROM (SELECT * FROM chunks "
            "WHERE priority < 2 ORDER BY no DESC LIMIT ?)",
            RATE_CHUNKS,
        ) or (0, None, None)
        passed_s = (end - begin) / 1e6 if newest else 0.0
        return Holding(
            rows=rows,
            chunks=chunks,
            blocks=(one("SELECT count(*) FROM blocks") or (0,))[0],
            quarantined=(one("SELECT count(*) FROM quarantine") or (0,))[0],
            used_bytes=self._file.used_pages * PAGE_BYTES,
            rows_per_s=newest / passed_s if passed_s > 0 else 0.0,
            from_us=first,
            to_us=last,
            counters={
                name: value
                for name, value in self._file.rows("SELECT name, value FROM totals")
                if not name.startswith("_")
            },
        )

    def chunks(self) -> Iterator[Piece | Bad]:
        """Every chunk in the order of its number, opened."""
        for row in self._file.stream(f"SELECT {COLUMNS} FROM chunks ORDER BY no"):
            no, rows, size, data, from_us, to_us = row
            yield self._pieces.open((no, rows, size, data, from_us, to_us))

    def entries(self) -> Iterator[SeriesEntry | Damage]:
        """The series table in order; an entry that does not open as Damage."""
        sql = "SELECT entry, device_no, leaf, data FROM entries ORDER BY entry"
        for no, device_no, leaf, data in self._file.stream(sql):
            try:
                yield read_entry(self._rows, no, device_no, leaf, data)
            except (SealError, MalformedEntry) as error:
                yield Damage(f"series entry {no}", str(error))

    def damage(self) -> Iterator[Damage]:
        """Everything that is not as it was written, by name; nothing when the buffer is whole."""
        lost = self._file.behind_the_end
        if lost.is_damage:
            told = f"{lost.commits} commits behind a damaged place of it cannot be read"
            yield Damage("the write-ahead log", told)
        for (told,) in self._file.rows("PRAGMA integrity_check"):
            if told != "ok":
                yield Damage("the file's structure", told)
        yield from self._keys()
        yield from self._series()
        for piece in self.chunks():
            if isinstance(piece, Bad):
                yield Damage(f"chunk {piece.no}", piece.reason, piece.rows)
        state = yield from self._state()
        yield from self._chain(state)
        yield from self._others("marks", "no, count, data", RowKind.MARKS)
        yield from self._others("rejects", "no, 0, data", RowKind.REJECT)
        yield from self._others("lessons", "no, 0, data", RowKind.LESSON)
        yield from self._others("remembered", "no, 0, data", RowKind.REMEMBERED)

    def _keys(self) -> Iterator[Damage]:
        for no, *wrapped in self._file.rows("SELECT no, kek_id, salt, sealed FROM keys"):
            try:
                unwrap_key(self._kek, WrappedKey(*wrapped), self._gateway)
            except SealError as error:
                yield Damage(f"copy {no} of the data key", str(error))

    def _series(self) -> Iterator[Damage]:
        """Damaged entries; the devices and the root of the table are remembered."""
        root = EMPTY_ROOT
        for no, device_no, leaf in self._file.rows(
            "SELECT entry, device_no, leaf FROM entries ORDER BY entry"
        ):
            if no != len(self._memory.device_of):
                yield Damage(f"series entry {len(self._memory.device_of)}", "it is missing")
            self._memory.device_of.append(device_no)
            root = roll(root, leaf)
        self._root = root
        for entry in self.entries():
            if isinstance(entry, Damage):
                yield entry

    def _state(self) -> Generator[Damage, None, State | None]:
        """The state, as the generator's value; None when it is not there or does not open."""
        try:
            state = read_state(self._rows)
        except SealError as error:
            yield Damage("state", str(error))
            return None
        if state is not None and state.series_root != self._root:
            yield Damage("the series table", "its root is not the one that was recorded")
        return state

    def _chain(self, state: State | None) -> Iterator[Damage]:
        """Every block made again and compared, and each one's link to the one before it."""
        before: tuple[int, int, bytes] | None = None
        released = (state.released_epoch, state.released) if state else (0, 0)
        for row in self._file.rows("SELECT * FROM blocks ORDER BY epoch, seq"):
            epoch, seq, first, last, rows, data = row
            name = f"block {epoch}/{seq}"
            try:
                recipe = read_recipe(self._rows, (epoch, seq, first, last, rows, data))
            except SealError as error:
                yield Damage(name, str(error))
                before = None
                continue
            linked = GENESIS_HASH if seq == 1 else None
            if before is not None and before[:2] == (epoch, seq - 1):
                linked = before[2]
            if linked is not None and linked != recipe.prev_hash:
                yield Damage(name, "its link to the block before it is wrong")
            if (epoch, seq) > released and not self._blocks.is_whole(row, recipe):
                yield Damage(name, "its chunks do not make it again; the next epoch frees them")
            before = (epoch, seq, recipe.hash)
        head = None if state is None else (state.epoch, state.head, state.head_hash)
        if before and head and before[:2] == head[:2] and before[2] != head[2]:
            yield Damage("state", "the newest block is not the one that was recorded")

    def _others(self, table: str, columns: str, kind: RowKind) -> Iterator[Damage]:
        for no, count, data in self._file.stream(f"SELECT {columns} FROM {table} ORDER BY no"):
            try:
                self._rows.unseal(kind, number_identity(no), count, data)
            except SealError as error:
                yield Damage(f"{table} {no}", str(error))
