"""What one transaction of the SQLite journal sees and writes; and what the tables answer.

A `Transaction` is used by the writer thread alone, between BEGIN and COMMIT. Blocks, names and
series go to the tables at once, so that the next decision sees them. An append writes no cursor:
`stored` and its hash follow from the names, which `load_standing` reads again at opening; so an
append dirties the pages that grow and no others, however many gateways share the journal. Any
other change of a cursor is written at the end of its transaction.
"""

import struct
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import apsw

from cloud.journal import Entry
from cloud.journal_cursor import Cursor, Decision, archive, decode_cursor, encode_cursor
from cloud.journal_segment import CursorRow, Segment, open_reader
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


@dataclass(frozen=True, slots=True)
class Standing:
    """A gateway's cursor, and the offset of its newest block (0: none)."""

    cursor: Cursor
    last: int = 0


class Past:
    """Read connections to the sealed segments, a few of them kept open."""

    def __init__(self) -> None:
        self._segments: tuple[Segment, ...] = ()
        self._open: OrderedDict[Segment, apsw.Connection] = OrderedDict()

    def become(self, segments: tuple[Segment, ...]) -> None:
        """These are the sealed segments now, oldest first; let go of all others."""
        if segments != self._segments:
            self._segments = segments
            for segment in self._open.keys() - set(segments):
                self._open.pop(segment).close()

    def holding(self, offset: int) -> apsw.Connection | None:
        """The segment that has this offset or an older one of the journal; None when trimmed."""
        index = bisect_right(self._segments, offset, key=lambda segment: segment.first) - 1
        return self._connection(self._segments[index]) if index >= 0 else None

    def among(self, above: int, upto: int) -> Iterator[apsw.Connection]:
        """The segments that hold offsets in (above, upto], one at a time."""
        ends = [*(segment.first for segment in self._segments[1:]), upto + 1]
        for segment, end in zip(self._segments, ends, strict=False):
            if segment.first <= upto and end > above + 1:
                yield self._connection(segment)

    def close(self) -> None:
        """Close all connections."""
        self.become(())

    def _connection(self, segment: Segment) -> apsw.Connection:
        connection = self._open.pop(segment, None) or open_reader(segment)
        self._open[segment] = connection
        if len(self._open) > _PAST_MAX:
            self._open.popitem(last=False)[1].close()
        return connection


@dataclass(slots=True)
class Transaction:
    """One group commit in the making: decisions are applied to it in the order of their calls."""

    connection: apsw.Connection
    first: int
    past: Past
    standing: Mapping[str, Standing]
    head: int
    archived: int
    stored_us: int
    changed: dict[str, Standing] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    risen: set[str] = field(default_factory=set)
    unwritten: set[str] = field(default_factory=set)

    def stands(self, gateway: str) -> Standing:
        """Where the gateway stands as this transaction has it so far."""
        known = self.changed.get(gateway) or self.standing.get(gateway)
        return known or Standing(Cursor(gateway))

    def cursor(self, gateway: str) -> Cursor:
        """The gateway's cursor as this transaction has it so far."""
        return self.stands(gateway).cursor

    def held(self, gateway: str) -> "HeldBlocks":
        """What is held of the gateway, this transaction included."""
        return HeldBlocks(self, self.stands(gateway))

    def write(self, decision: Decision, block: Arrived | None = None) -> None:
        """Carry out a decision taken on the gateway's present cursor."""
        after = decision.cursor
        before, last = self.cursor(after.gateway), self.stands(after.gateway).last
        if decision.append and block is not None:
            self._append(after.gateway, last, block)
            last = self.head
        if decision.entries:
            self._declare(before, decision.entries)
        if after != before:
            self.changed[after.gateway] = Standing(after, last)
            implied = replace(before, stored=after.stored, stored_hash=after.stored_hash)
            if not decision.append or after != implied:
                self.unwritten.add(after.gateway)

    def mark_archived(self, offset: int) -> None:
        """Move `archived` up to `offset`, and that of every gateway with blocks on the way."""
        if offset <= self.archived:
            return
        if offset > self.head:
            raise ValueError(f"offset {offset} cannot be archived, the journal ends at {self.head}")
        for connection in (*self.past.among(self.archived, offset), self.connection):
            for gateway, epoch, seq in _tops(connection, self.archived, offset):
                before = self.stands(gateway)
                after = archive(before.cursor, epoch, seq)
                if after != before.cursor:
                    self.changed[gateway] = Standing(after, before.last)
                    self.risen.add(gateway)
        self.unwritten |= self.risen
        self.connection.execute("UPDATE meta SET value = ? WHERE name = 'archived'", (offset,))
        self.archived = offset

    def finish(self) -> None:
        """Write the cursors that do not follow from names; to be called last, before COMMIT."""
        self.connection.executemany(
            "INSERT INTO cursor VALUES (?1, ?2, ?3, ?4) ON CONFLICT (gateway)"
            " DO UPDATE SET epoch = ?2, last = ?3, state = ?4",
            cursor_rows(self.changed[gateway] for gateway in self.unwritten),
        )

    def holding(self, offset: int) -> apsw.Connection | None:
        """The connection under which an offset is found; None when it is trimmed."""
        return self.connection if offset >= self.first else self.past.holding(offset)

    def _append(self, gateway: str, previous: int, block: Arrived) -> None:
        where = (gateway, block.epoch, block.seq)
        named = (self.head + 1, *where, block.hash, self.stored_us, previous, _pack(block.chunks))
        self.head += 1
        self.connection.execute("INSERT INTO name VALUES (?, ?, ?, ?, ?, ?, ?, ?)", named)
        self.connection.execute("INSERT INTO block VALUES (?, ?)", (self.head, block.data))
        self.entries.append(Entry(self.head, *where, block.hash, block.data, self.stored_us))

    def _declare(self, before: Cursor, entries: Sequence[SeriesEntry]) -> None:
        root = before.series_root
        rows = []
        for entry in entries:
            root = roll(root, entry.leaf)
            rows.append((before.gateway, before.epoch, entry.entry, root, encode_entry(entry)))
        self.connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?)", rows)


@dataclass(frozen=True, slots=True)
class HeldBlocks:
    """`cloud.journal_cursor.Held` of one gateway: its blocks are a chain through the offsets."""

    transaction: Transaction
    standing: Standing

    def hash_at(self, epoch: int, seq: int) -> bytes | None:
        """Hash of the stored block, None when it is not held."""
        cursor = self.standing.cursor
        if (epoch, seq) == (cursor.epoch, cursor.stored):
            return cursor.stored_hash
        for at, hash, _ in self._back():
            if at <= (epoch, seq):
                return hash if at == (epoch, seq) else None
        return None

    def chunks_above(self, epoch: int, seq: int) -> list[ChunkRun]:
        """Chunk ids in stored blocks after (epoch, seq), neighbours merged."""
        runs: list[ChunkRun] = []
        for at, _, packed in self._back():
            if at <= (epoch, seq):
                break
            for run in reversed(list(_unpack(packed))):
                _put_before(runs, run)
        return runs[::-1]

    def root_at(self, epoch: int, entry: int) -> bytes | None:
        """Root of the declared entries 1..entry of the living epoch; None when not held."""
        cursor = self.standing.cursor
        if entry == 0:
            return EMPTY_ROOT
        if (epoch, entry) == (cursor.epoch, cursor.series_known):
            return cursor.series_root
        query = "SELECT root FROM series WHERE (gateway, epoch, entry) = (?, ?, ?)"
        where = (cursor.gateway, epoch, entry)
        found = self.transaction.connection.execute(query, where).get
        return None if found is None else bytes(found)

    def _back(self) -> Iterator[tuple[tuple[int, int], bytes, bytes]]:
        """(epoch, seq), hash and chunks of the gateway's blocks, newest first, until trimmed."""
        query = "SELECT epoch, seq, hash, chunks, previous FROM name WHERE offset = ?"
        offset = self.standing.last
        while offset and (connection := self.transaction.holding(offset)) is not None:
            found = connection.execute(query, (offset,)).fetchone()
            if found is None:
                return
            epoch, seq, hash, chunks, offset = found
            yield (epoch, seq), hash, chunks


def cursor_rows(standing: Iterable[Standing]) -> Iterator[CursorRow]:
    """Rows for a segment's cursor table."""
    for one in standing:
        yield one.cursor.gateway, one.cursor.epoch, one.last, encode_cursor(one.cursor)


def load_standing(connection: apsw.Connection) -> dict[str, Standing]:
    """Where every gateway stands, as the segment in use has it: cursors, moved on by the names."""
    rows = connection.execute("SELECT gateway, last, state FROM cursor")
    standing = {gateway: Standing(decode_cursor(state), last) for gateway, last, state in rows}
    # SQLite takes the other columns from the row that has the maximum.
    newest = "SELECT max(offset), gateway, seq, hash FROM name GROUP BY gateway"
    for offset, gateway, seq, hash in connection.execute(newest):
        before = standing.get(gateway) or Standing(Cursor(gateway))
        if offset > before.last:
            cursor = replace(before.cursor, stored=seq, stored_hash=hash)
            standing[gateway] = Standing(cursor, offset)
    return standing


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
