"""What the writer keeps in mind between transactions, and how it is read at the start.

The file is the truth: memory changes only after the transaction that changed the file, so that a
refused one leaves both as they were.
"""

import logging
from array import array
from dataclasses import dataclass, field

import msgspec

from edge.chunk import Loaded
from edge.errors import StorageError
from edge.seal import RowKind, SealError
from edge.store.gaps import Gap
from edge.store.ring import Ring
from edge.store.rows import SealedRows, block_identity, entry_identity, number_identity
from edge.store.spans import Spans
from protos.block import GENESIS_HASH
from protos.codec.wire import MalformedEntry
from protos.series import EMPTY_ROOT, SeriesEntry, decode_entry, roll

UNSEALED_ROWS = "_unsealed_rows"
UNSEALED_BYTES = "_unsealed_bytes"

_log = logging.getLogger(__name__)


class State(msgspec.Struct, frozen=True, array_like=True):
    """The sealed row that names where the buffer stands; 0 and zeros at the beginning.

    Blocks up to (``released_epoch``, ``released``) were stored and gave their chunks up for room.
    ``name``: what the gateway is called in them; "": as when the buffer was begun.
    """

    epoch: int = 0
    head: int = 0
    head_hash: bytes = GENESIS_HASH
    stored: int = 0
    archived: int = 0
    generation: int = 0
    series_high: int = 0
    series_root: bytes = EMPTY_ROOT
    released_epoch: int = 0
    released: int = 0
    name: str = ""


class Recipe(msgspec.Struct, frozen=True, array_like=True):
    """What, with its chunks (numbers first to last), makes a sealed block again, and the proof."""

    hash: bytes
    prev_hash: bytes
    boot_id: bytes
    mono_us: int
    wall_us: int
    series_high: int
    series_root: bytes
    secret: bytes
    first: int
    last: int
    from_us: int = 0
    to_us: int = 0


@dataclass(slots=True)
class Memory:
    """The writer's own; ``device_of[entry]`` is the device of a series entry, [0] the gateway.

    ``marks`` are sized in marks, ``rejects`` in bytes. ``refused_high`` is the highest series entry
    of a chunk that was refused: later chunks may lean on it. ``sealed`` holds the numbers of chunks
    that blocks have, or that nothing has any more; ``evict_from`` is the lowest number that a chunk
    of each priority may still have outside of them. ``note_*``: the note that may still be joined
    to (0: none).
    """

    state: State = field(default_factory=State)
    totals: dict[str, int] = field(default_factory=dict)
    next_chunk: int = 1
    sealed: Spans = field(default_factory=Spans)
    evict_from: list[int] = field(default_factory=lambda: [0, 0])
    note_no: int = 0
    note_gaps: tuple[Gap, ...] = ()
    note_bytes: int = 0
    device_of: "array[int]" = field(default_factory=lambda: array("I", [0]))
    marks: Ring = field(default_factory=Ring)
    rejects: Ring = field(default_factory=Ring)
    refused_high: int = 0
    commits: int = 0
    refused: int = 0

    def forget_note(self) -> None:
        """The next loss begins a note of its own."""
        self.note_no, self.note_gaps, self.note_bytes = 0, (), 0

    def counters(self) -> dict[str, int]:
        """The totals that callers gave, and what was quarantined."""
        return {name: value for name, value in self.totals.items() if not name.startswith("_")}


def recall(rows: SealedRows) -> tuple[Memory, Loaded]:
    """Read the file into memory; what does not open is set aside and the rest goes on."""
    file = rows.file
    memory = Memory(totals=dict(file.rows("SELECT name, value FROM totals")))
    lost: list[_Lost] = []
    entries, root = _entries(rows, memory, lost)
    memory.state = _state(rows, len(entries), root, lost)
    memory.sealed = _blocks(rows, lost)
    memory.next_chunk = rows.current.base
    marks = _marks(rows, memory, lost)
    memory.rejects = Ring.of(file.rows("SELECT no, bytes FROM rejects ORDER BY no"))
    if lost:
        _set_aside(rows, memory, lost)
    return memory, Loaded(tuple(entries), marks, memory.counters())


@dataclass(frozen=True, slots=True)
class _Lost:
    """A row that could not be used, and the statement that lets go of it ("" when it stays)."""

    kind: RowKind
    name: str
    reason: str
    rows: int
    data: bytes
    table: str = ""
    no: int = 0


def _entries(
    rows: SealedRows, memory: Memory, lost: list[_Lost]
) -> tuple[list[SeriesEntry], bytes]:
    """The series table and its root; an unreadable entry keeps its number, device and leaf."""
    entries: list[SeriesEntry] = []
    root = EMPTY_ROOT
    sql = "SELECT entry, device_no, leaf, data FROM entries ORDER BY entry"
    for no, device_no, leaf, data in rows.file.stream(sql):
        try:
            entry = read_entry(rows, no, device_no, leaf, data)
        except (SealError, MalformedEntry) as error:
            entry = SeriesEntry(no, device_no, None, b"", leaf)
            lost.append(_Lost(RowKind.ENTRY, f"series entry {no}", str(error), 0, data))
        if no != len(entries) + 1:
            raise StorageError(
                f"read the series table of {rows.file.path}",
                f"entry {no} stands where {len(entries) + 1} should",
                "move the buffer aside, keep it, and start anew",
            )
        entries.append(entry)
        memory.device_of.append(device_no)
        root = roll(root, leaf)
    return entries, root


def read_entry(rows: SealedRows, no: int, device_no: int, leaf: bytes, data: bytes) -> SeriesEntry:
    """One series entry from its row; SealError or MalformedEntry."""
    plain = rows.unseal(RowKind.ENTRY, entry_identity(no, device_no, leaf), 0, data)
    return decode_entry(plain)


def read_state(rows: SealedRows) -> State | None:
    """The state row, None without one; SealError when it cannot be read."""
    found = rows.file.one("SELECT data FROM state WHERE no = 1")
    if found is None:
        return None
    plain = rows.unseal(RowKind.STATE, number_identity(1), 0, found[0])
    try:
        return msgspec.msgpack.decode(plain, type=State)
    except msgspec.DecodeError as error:
        raise SealError("read the state", str(error)) from error


def _state(rows: SealedRows, series: int, root: bytes, lost: list[_Lost]) -> State:
    """The state row, or what the kept blocks tell when it cannot be opened."""
    try:
        found = read_state(rows)
        if found is None and (series or rows.file.one("SELECT 1 FROM blocks LIMIT 1")):
            raise SealError("read the state", "its row is missing")
        return found or State(series_high=series, series_root=root)
    except SealError as error:
        (data,) = rows.file.one("SELECT data FROM state WHERE no = 1") or (b"",)
        lost.append(_Lost(RowKind.STATE, "state", str(error), 0, data, "state", 1))
        return _state_of_blocks(rows, State(series_high=series, series_root=root))


def _state_of_blocks(rows: SealedRows, empty: State) -> State:
    """Epoch and head as the newest block has them; epoch 0, which asks for a new one, without."""
    file = rows.file
    sql = "SELECT epoch, seq, first, last, rows, data FROM blocks ORDER BY epoch DESC, seq DESC"
    newest = file.one(sql + " LIMIT 1")
    if newest is None:
        return empty
    epoch, seq = newest[:2]
    try:
        head_hash = read_recipe(rows, newest).hash
    except SealError:
        return empty
    (oldest,) = file.one("SELECT min(seq) FROM blocks WHERE epoch = ?", epoch) or (seq,)
    sql = (
        "SELECT epoch, seq FROM blocks WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE no BETWEEN "
        "first AND last) ORDER BY epoch DESC, seq DESC LIMIT 1"
    )
    released_epoch, released = file.one(sql) or (0, 0)
    return msgspec.structs.replace(
        empty,
        epoch=epoch,
        head=seq,
        head_hash=head_hash,
        stored=oldest - 1,
        archived=oldest - 1,
        released_epoch=released_epoch,
        released=released,
    )


def _blocks(rows: SealedRows, lost: list[_Lost]) -> Spans:
    """The chunks that are sealed. Where columns and sealed recipe differ, the recipe is right.

    A block whose recipe does not open keeps its row: its number is taken, and its chunks are freed
    by the next epoch.
    """
    sealed = Spans()
    wrong: list[tuple[int, int, int, int]] = []
    for row in rows.file.stream("SELECT epoch, seq, first, last, rows, data FROM blocks"):
        epoch, seq, first, last, count, data = row
        try:
            recipe = read_recipe(rows, row)
        except SealError as error:
            lost.append(_Lost(RowKind.BLOCK, f"block {epoch}/{seq}", str(error), count, data))
        else:
            if (recipe.first, recipe.last) != (first, last):
                wrong.append((recipe.first, recipe.last, epoch, seq))
                first, last = recipe.first, recipe.last
        sealed.add(first, last)
    for values in wrong:
        _log.error("the span of block %d/%d was wrong in the buffer and is mended", *values[2:])
        with rows.transaction():
            sql = "UPDATE blocks SET first = ?, last = ? WHERE epoch = ? AND seq = ?"
            rows.file.write(sql, *values)
    return sealed


def read_recipe(rows: SealedRows, row: tuple[int, int, int, int, int, bytes]) -> Recipe:
    """The recipe in a row (epoch, seq, first, last, rows, data) of blocks; SealError."""
    epoch, seq, _, _, count, data = row
    plain = rows.unseal(RowKind.BLOCK, block_identity(epoch, seq), count, data)
    return msgspec.msgpack.decode(plain, type=Recipe)


def _marks(rows: SealedRows, memory: Memory, lost: list[_Lost]) -> bytes:
    marks: list[bytes] = []
    kept: list[tuple[int, int]] = []
    for no, count, data in rows.file.rows("SELECT no, count, data FROM marks ORDER BY no"):
        try:
            marks.append(rows.unseal(RowKind.MARKS, number_identity(no), count, data))
        except SealError as error:
            lost.append(_Lost(RowKind.MARKS, f"marks {no}", str(error), count, data, "marks", no))
            continue
        kept.append((no, count))
    memory.marks = Ring.of(kept)
    return b"".join(marks)


def _set_aside(rows: SealedRows, memory: Memory, lost: list[_Lost]) -> None:
    """Move lost rows to quarantine; entries stay in their table, as erased ones do."""
    new = [row for row in lost if row.table or not _is_known(rows, row.name)]
    if not new:
        return
    totals = dict(memory.totals)
    with rows.transaction():
        for row in new:
            _log.error("the buffer's %s cannot be read and was set aside: %s", row.name, row.reason)
            rows.set_aside(row.kind, row.name, row.reason, row.rows, row.data)
            if row.table:
                rows.file.write(f"DELETE FROM {row.table} WHERE no = ?", row.no)
        write_totals(rows, totals, {"quarantined": len(new)})
        if any(row.table == "state" for row in new):
            write_state(rows, memory.state)
    memory.totals = totals


def _is_known(rows: SealedRows, name: str) -> bool:
    return rows.file.one("SELECT 1 FROM quarantine WHERE name = ?", name) is not None


def write_totals(rows: SealedRows, totals: dict[str, int], added: dict[str, int]) -> None:
    """Add to ``totals`` and write what changed, inside a transaction."""
    for name, value in added.items():
        totals[name] = totals.get(name, 0) + value
        sql = "INSERT INTO totals VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2"
        rows.file.write(sql, name, totals[name])


def write_state(rows: SealedRows, state: State) -> None:
    """Replace the state row, inside a transaction."""
    data = rows.seal(RowKind.STATE, number_identity(1), 0, msgspec.msgpack.encode(state))
    rows.file.write("INSERT OR REPLACE INTO state VALUES (1, ?)", data)
