"""What one transaction of the SQLite journal sees and writes; and what the tables answer.

A `Transaction` is used by the writer thread alone, between BEGIN and COMMIT. Blocks, names and
series go to the tables at once, so that the next decision sees them; cursors are written once, at
the end, however often they moved.
"""

import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import apsw

from cloud.journal import Entry
from cloud.journal_cursor import Cursor, Decision, archive, decode_cursor, encode_cursor
from cloud.journal_segment import Segment, open_reader
from protos.block import ChunkRun
from protos.series import EMPTY_ROOT, SeriesEntry, decode_entry, encode_entry, roll

_RUN = struct.Struct(">12sII")
_PAST_MAX = 8  # connections to sealed segments that the writer keeps


@dataclass(frozen=True, slots=True)
class Arrived:
    """A block whose bytes are checked: its hash and chunk ids as its header says them."""

    epoch: int
    seq: int
    hash: bytes
    chunks: tuple[ChunkRun, ...]
    data: bytes


class Past:
    """Read connections to the sealed segments, newest first, few of them kept open."""

    def __init__(self) -> None:
        self._segments: tuple[Segment, ...] = ()
        self._open: OrderedDict[Segment, apsw.Connection] = OrderedDict()

    def become(self, segments: Iterable[Segment]) -> None:
        """These are the sealed segments now; let go of all others."""
        self._segments = tuple(sorted(segments, reverse=True))
        for segment in self._open.keys() - set(self._segments):
            self._open.pop(segment).close()

    def connections(self, above: int = 0, upto: int | None = None) -> Iterator[apsw.Connection]:
        """Those that may hold offsets in (above, upto], newest first, opened as they are asked."""
        for segment in self._segments:
            if upto is not None and segment.first > upto:
                continue
            connection = self._open.pop(segment, None) or open_reader(segment)
            self._open[segment] = connection
            if len(self._open) > _PAST_MAX:
                self._open.popitem(last=False)[1].close()
            yield connection
            if segment.first <= above + 1:
                return

    def close(self) -> None:
        """Close all connections."""
        self.become(())


@dataclass(slots=True)
class Transaction:
    """One group commit in the making: decisions are applied to it in the order of their calls."""

    connection: apsw.Connection
    past: Past
    standing: dict[str, Cursor]
    head: int
    archived: int
    stored_us: int
    cursors: dict[str, Cursor] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    risen: set[str] = field(default_factory=set)

    def cursor(self, gateway: str) -> Cursor:
        """The gateway's cursor as this transaction has it so far."""
        return self.cursors.get(gateway) or self.standing.get(gateway) or Cursor(gateway)

    def held(self, gateway: str) -> "HeldBlocks":
        """What is held of the gateway, this transaction included."""
        return HeldBlocks(self.cursor(gateway), self.connection, self.past)

    def write(self, before: Cursor, decision: Decision, block: Arrived | None = None) -> None:
        """Carry out a decision taken on `before`."""
        after = decision.cursor
        if decision.append and block is not None:
            self._append(after.gateway, block)
        if decision.entries:
            self._declare(before, decision.entries)
        if after != before:
            self.cursors[after.gateway] = after

    def mark_archived(self, offset: int) -> None:
        """Move `archived` up to `offset`, and that of every gateway with blocks on the way."""
        if offset <= self.archived:
            return
        if offset > self.head:
            raise ValueError(f"offset {offset} cannot be archived, the journal ends at {self.head}")
        for connection in (*self.past.connections(self.archived, offset), self.connection):
            for gateway, epoch, seq in _tops(connection, self.archived, offset):
                before = self.cursor(gateway)
                after = archive(before, epoch, seq)
                if after != before:
                    self.cursors[gateway] = after
                    self.risen.add(gateway)
        self.connection.execute("UPDATE meta SET value = ? WHERE name = 'archived'", (offset,))
        self.archived = offset

    def finish(self) -> None:
        """Write the cursors; to be called last, before COMMIT."""
        self.connection.executemany(
            "INSERT INTO cursor VALUES (?1, ?2, ?3) ON CONFLICT (gateway)"
            " DO UPDATE SET epoch = ?2, state = ?3",
            [(c.gateway, c.epoch, encode_cursor(c)) for c in self.cursors.values()],
        )

    def _append(self, gateway: str, block: Arrived) -> None:
        where = (gateway, block.epoch, block.seq)
        chunks = _pack(block.chunks)
        self.head += 1
        entry = Entry(self.head, *where, block.hash, block.data, self.stored_us)
        self.connection.execute(
            "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self.head, *where, block.hash, self.stored_us, block.data),
        )
        self.connection.execute(
            "INSERT INTO name VALUES (?, ?, ?, ?, ?, ?)", (*where, self.head, block.hash, chunks)
        )
        self.entries.append(entry)

    def _declare(self, before: Cursor, entries: Sequence[SeriesEntry]) -> None:
        root = before.series_root
        rows = []
        for entry in entries:
            root = roll(root, entry.leaf)
            rows.append((before.gateway, before.epoch, entry.entry, root, encode_entry(entry)))
        self.connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?)", rows)


@dataclass(frozen=True, slots=True)
class HeldBlocks:
    """`cloud.journal_cursor.Held` of one gateway, over the segment in use and the sealed ones."""

    cursor: Cursor
    connection: apsw.Connection
    past: Past

    def hash_at(self, epoch: int, seq: int) -> bytes | None:
        """Hash of the stored block, None when it is not held."""
        if (epoch, seq) == (self.cursor.epoch, self.cursor.stored):
            return self.cursor.stored_hash
        query = "SELECT hash FROM name WHERE (gateway, epoch, seq) = (?, ?, ?)"
        for connection in self._connections():
            found = connection.execute(query, (self.cursor.gateway, epoch, seq)).get
            if found is not None:
                return bytes(found)
            if self._reaches_below(connection, epoch, seq):
                return None
        return None

    def chunks_above(self, epoch: int, seq: int) -> list[ChunkRun]:
        """Chunk ids in stored blocks after (epoch, seq), neighbours merged."""
        query = """SELECT chunks FROM name WHERE gateway = ? AND (epoch, seq) > (?, ?)
            ORDER BY epoch DESC, seq DESC"""
        runs: list[ChunkRun] = []
        for connection in self._connections():
            for (packed,) in connection.execute(query, (self.cursor.gateway, epoch, seq)):
                for run in reversed(list(_unpack(packed))):
                    _put_before(runs, run)
            if self._reaches_below(connection, epoch, seq):
                break
        return runs[::-1]

    def root_at(self, epoch: int, entry: int) -> bytes | None:
        """Root of the declared entries 1..entry of the living epoch; None when not held."""
        if entry == 0:
            return EMPTY_ROOT
        if (epoch, entry) == (self.cursor.epoch, self.cursor.series_known):
            return self.cursor.series_root
        query = "SELECT root FROM series WHERE (gateway, epoch, entry) = (?, ?, ?)"
        found = self.connection.execute(query, (self.cursor.gateway, epoch, entry)).get
        return None if found is None else bytes(found)

    def _connections(self) -> Iterator[apsw.Connection]:
        yield self.connection
        yield from self.past.connections()

    def _reaches_below(self, connection: apsw.Connection, epoch: int, seq: int) -> bool:
        """True when the segment holds an earlier block: older segments hold only earlier ones."""
        query = "SELECT 1 FROM name WHERE gateway = ? AND (epoch, seq) <= (?, ?) LIMIT 1"
        return connection.execute(query, (self.cursor.gateway, epoch, seq)).get is not None


def load_cursors(connection: apsw.Connection) -> dict[str, Cursor]:
    """All cursors of a segment, by gateway."""
    rows = connection.execute("SELECT gateway, state FROM cursor")
    return {gateway: decode_cursor(state) for gateway, state in rows}


def load_series(connection: apsw.Connection, gateway: str, epoch: int) -> list[SeriesEntry]:
    """The table of an epoch as a segment has it; empty when it does not."""
    query = "SELECT data FROM series WHERE gateway = ? AND epoch = ? ORDER BY entry"
    return [decode_entry(data) for (data,) in connection.execute(query, (gateway, epoch))]


def _tops(connection: apsw.Connection, above: int, upto: int) -> list[tuple[str, int, int]]:
    """The newest (gateway, epoch, seq) of each gateway and epoch among the given offsets."""
    query = """SELECT gateway, epoch, max(seq) FROM name WHERE offset > ? AND offset <= ?
        GROUP BY gateway, epoch"""
    return [(str(g), int(e), int(s)) for g, e, s in connection.execute(query, (above, upto))]


def _put_before(runs: list[ChunkRun], run: ChunkRun) -> None:
    """Add a run that comes before all others, merged with the last added if they touch."""
    last = runs[-1] if runs else None
    if last is not None and last.prefix == run.prefix and run.first + run.count == last.first:
        runs[-1] = ChunkRun(run.prefix, run.first, run.count + last.count)
    else:
        runs.append(run)


def _pack(runs: Iterable[ChunkRun]) -> bytes:
    return b"".join(_RUN.pack(run.prefix, run.first, run.count) for run in runs)


def _unpack(packed: bytes) -> Iterator[ChunkRun]:
    return (ChunkRun(*fields) for fields in _RUN.iter_unpack(packed))
