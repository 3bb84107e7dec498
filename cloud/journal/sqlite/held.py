"""What one transaction of the SQLite journal sees and writes; and what the tables answer.

A `Transaction` is used by the writer thread alone, between BEGIN and COMMIT. Blocks, names and
series go to the tables at once, so that the next decision sees them. An append writes no cursor:
`stored`, its hash and the counts follow from the names (`cloud.journal.sqlite.standing`); so it
dirties the pages that grow and no others, however many gateways share the journal. Any other
change of a cursor is written at the end of its transaction.
"""

import struct
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import apsw

from cloud.journal.contract import Entry, JournalOverloadedError
from cloud.journal.cursor import Cursor, Decision, archive
from cloud.journal.sqlite.segment import ARCHIVE, Segment, open_reader
from cloud.journal.sqlite.standing import Standing, cursor_rows
from protos.block import ChunkRun
from protos.series import EMPTY_ROOT, SeriesEntry, encode_entry, roll

SERIES_SHARE = 8
"""Of the journal's bytes one in so many may be declared names: each segment opens with them all."""
_RUN = struct.Struct(">12sII")
_PAST_MAX = 8  # connections to sealed segments that the writer keeps


@dataclass(frozen=True, slots=True)
class Arrived:
    """A block whose bytes are checked: hash, chunk ids and readings as its header says them."""

    epoch: int
    seq: int
    hash: bytes
    chunks: tuple[ChunkRun, ...]
    readings: int
    data: bytes


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
    series_bytes_max: int
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
        """Carry out a decision taken on the gateway's present cursor.

        JournalOverloadedError, and nothing is written, when the names of all gateways are too much.
        """
        after = decision.cursor
        stood = self.stands(after.gateway)
        before, last, tally = stood.cursor, stood.last, stood.tally
        if decision.entries:
            self._check_names(after.series_bytes - before.series_bytes)
        if decision.append and block is not None:
            self._append(after.gateway, last, block)
            last, tally = self.head, tally.stored(block.epoch, 1, block.readings)
        if decision.entries:
            self._declare(before, decision.entries)
        if after != before:
            self.changed[after.gateway] = Standing(after, last, tally)
            implied = replace(before, stored=after.stored, stored_hash=after.stored_hash)
            if not decision.append or after != implied:
                self.unwritten.add(after.gateway)

    def told(self, gateway: str, epoch: int, head: int) -> None:
        """Keep the head that a gateway says it has, so that the ledger knows what to expect."""
        stood = self.stands(gateway)
        tally = stood.tally.told(epoch, head)
        if epoch and tally != stood.tally:
            self.changed[gateway] = Standing(stood.cursor, stood.last, tally)
            self.unwritten.add(gateway)

    def mark_archived(self, offset: int) -> None:
        """Move `archived` up to `offset`, and that of every gateway with blocks on the way."""
        if offset <= self.archived:
            return
        if offset > self.head:
            raise ValueError(f"offset {offset} cannot be archived, the journal ends at {self.head}")
        # One at a time: the past keeps few connections, and closes one to open another.
        for connection in chain(self.past.among(self.archived, offset), (self.connection,)):
            for gateway, epoch, seq, *grown in _passed(connection, self.archived, offset):
                before = self.stands(gateway)
                after = archive(before.cursor, epoch, seq)
                tally = before.tally.archived(epoch, *grown)
                self.changed[gateway] = Standing(after, before.last, tally)
                self.unwritten.add(gateway)
                if after != before.cursor:
                    self.risen.add(gateway)
        self.connection.execute(ARCHIVE, (offset,))
        self.archived = offset

    def finish(self) -> None:
        """Write the cursors that do not follow from names; to be called last, before COMMIT."""
        self.connection.executemany(
            "INSERT INTO cursor VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (gateway)"
            " DO UPDATE SET epoch = ?2, last = ?3, counts = ?4, state = ?5",
            cursor_rows(self.changed[gateway] for gateway in self.unwritten),
        )

    def holding(self, offset: int) -> apsw.Connection | None:
        """The connection under which an offset is found; None when it is trimmed."""
        return self.connection if offset >= self.first else self.past.holding(offset)

    def _append(self, gateway: str, previous: int, block: Arrived) -> None:
        where = (gateway, block.epoch, block.seq)
        rest = (block.hash, self.stored_us, previous, block.readings, _pack(block.chunks))
        self.head += 1
        insert = "INSERT INTO name VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self.connection.execute(insert, (self.head, *where, *rest))
        self.connection.execute("INSERT INTO block VALUES (?, ?)", (self.head, block.data))
        self.entries.append(Entry(self.head, *where, block.hash, block.data, self.stored_us))

    def _check_names(self, more: int) -> None:
        living = {**self.standing, **self.changed}.values()
        total = sum(standing.cursor.series_bytes for standing in living) + more
        if total > self.series_bytes_max:
            cause = f"the names of all gateways take {total} bytes of {self.series_bytes_max}"
            hint = "allow the journal more bytes, or stop what mints a series per message"
            raise JournalOverloadedError("keep declared series", cause, hint)

    def _declare(self, before: Cursor, entries: Sequence[SeriesEntry]) -> None:
        root = before.series_root
        rows = []
        for entry in entries:
            root = roll(root, entry.leaf)
            rows.append((before.gateway, before.epoch, entry.entry, root, encode_entry(entry)))
        self.connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?)", rows)


@dataclass(frozen=True, slots=True)
class HeldBlocks:
    """`cloud.journal.cursor.Held` of one gateway: its blocks are a chain through the offsets."""

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


def _passed(
    connection: apsw.Connection, above: int, upto: int
) -> list[tuple[str, int, int, int, int]]:
    """(gateway, epoch, newest seq, blocks, readings) of the given offsets, by gateway and epoch."""
    query = """SELECT gateway, epoch, max(seq), count(*), sum(readings) FROM name
        WHERE offset > ? AND offset <= ? GROUP BY gateway, epoch ORDER BY epoch"""
    return list(connection.execute(query, (above, upto)))


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
