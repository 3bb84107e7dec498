"""Chunks as pieces of a block: which come next, opened and checked; what is bad is named."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from edge.errors import StorageError
from edge.seal import RowKind, SealError
from edge.store.gaps import Gap
from edge.store.memory import Memory
from edge.store.notes import Note
from edge.store.rows import SealedRows
from protos.codec.body import decode_body
from protos.codec.wire import MalformedBlock
from protos.limits import BLOCK_ROWS_MAX, MIB
from protos.records import Batch, GapReason, Kind

CHUNKS_MAX: Final = 512
"""Chunks opened for one block: each takes some 0.3 ms here, and commits wait that long."""
TEXTS_BYTES_MAX: Final = 4 * MIB
"""Texts of one block, each row's written out: hundreds of chunks may say one long text, which
costs nothing sealed and its length for every row while the block is made and read."""
_NOTES: Final = "SELECT no FROM chunks WHERE priority = 2 ORDER BY no"
_URGENT: Final = "SELECT no FROM chunks WHERE priority = 1 ORDER BY no"
"""As the indexes of these names are made."""
COLUMNS: Final = "no, rows, bytes, data, from_us, to_us"

_log = logging.getLogger(__name__)

Row = tuple[int, int, int, bytes, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One chunk, opened; times are the first and last event time of its rows, in µs."""

    no: int
    rows: int
    size: int
    data: bytes
    from_us: int
    to_us: int
    batch: Batch

    def bad(self, reason: str) -> "Bad":
        """The same as unusable."""
        return Bad(self.no, self.rows, self.size, self.data, self.from_us, self.to_us, reason)


@dataclass(frozen=True, slots=True, eq=False)
class Bad:
    """One chunk that cannot be used; its times are as its row says, which nothing proves."""

    no: int
    rows: int
    size: int
    data: bytes
    from_us: int
    to_us: int
    reason: str

    @property
    def gap(self) -> Gap:
        """What the cloud is told of it."""
        last = max(self.from_us, self.to_us)
        return Gap(self.from_us, last, self.rows, GapReason.DAMAGED)


class Pieces:
    """Opens the chunks of one buffer; for the writer thread."""

    def __init__(self, rows: SealedRows, memory: Memory) -> None:
        self._rows = rows
        self._memory = memory

    def open(self, row: Row) -> Piece | Bad:
        """One chunk from its row (`COLUMNS`)."""
        no, rows, size, data, from_us, to_us = row
        try:
            identity = self._rows.chunk_identity(no)
            plain = self._rows.unseal(RowKind.CHUNK, identity, rows, data)
            return Piece(no, rows, size, data, from_us, to_us, decode_body(plain))
        except (SealError, MalformedBlock) as error:
            return Bad(no, rows, size, data, from_us, to_us, str(error))

    def within(self, first: int, last: int) -> tuple[list[Piece], list[Bad]]:
        """All chunks of a span."""
        sql = f"SELECT {COLUMNS} FROM chunks WHERE no BETWEEN ? AND ? ORDER BY no"
        return self._sorted_out([self.open(row) for row in self._rows.file.rows(sql, first, last)])

    def next(
        self, bytes_max: float, *, newest_first: bool, urgent_only: bool = False
    ) -> tuple[list[Piece], list[Bad]]:
        """Unsealed chunks of about ``bytes_max`` for one block, ascending, and the bad among them.

        A note before all; then the oldest, or the newest, or the oldest with anomalies and those
        alone. They are all the chunks of one stretch of
        numbers, so that first and last tell them.
        """
        for first, last in self._stretches(newest_first, urgent_only):
            pieces, bad = self._take(first, last, bytes_max, newest_first)
            if pieces or bad:
                return pieces, bad
        return [], []

    def _stretches(self, newest_first: bool, urgent_only: bool) -> Iterator[tuple[int, int]]:
        memory = self._memory
        for (no,) in self._rows.file.rows(_NOTES):
            if no not in memory.sealed:
                yield no, no
        if urgent_only:
            for (no,) in self._rows.file.stream(_URGENT):
                if no not in memory.sealed:
                    yield no, no
                    return
            return
        free = list(memory.sealed.free())
        yield from reversed(free) if newest_first else free

    def _take(
        self, first: int, last: int, bytes_max: float, newest_first: bool
    ) -> tuple[list[Piece], list[Bad]]:
        order = "DESC" if newest_first else "ASC"
        sql = f"SELECT {COLUMNS} FROM chunks WHERE no BETWEEN ? AND ? ORDER BY no {order}"
        found: list[Piece | Bad] = []
        total = rows = texts = usable = 0
        for row in self._rows.file.stream(sql, first, last):
            over = total + row[2] > bytes_max
            many = rows + row[1] > BLOCK_ROWS_MAX or usable >= CHUNKS_MAX
            if usable and (over or many):
                break
            piece = self.open(row)
            if isinstance(piece, Piece):
                texts += _text_bytes(piece.batch)
                if usable and texts > TEXTS_BYTES_MAX:
                    break
                total, rows, usable = total + row[2], rows + row[1], usable + 1
            found.append(piece)
        if not found and last < self._memory.next_chunk:
            self._memory.sealed.add(first, last)  # no chunk will ever be there again
        return self._sorted_out(found[::-1] if newest_first else found)

    def _sorted_out(self, found: Sequence[Piece | Bad]) -> tuple[list[Piece], list[Bad]]:
        """StorageError when one is there twice: a page that says so hides another one."""
        for one, after in itertools.pairwise(found):
            if one.no >= after.no:
                hint = "its structure is damaged: move it aside, keep it, and start anew"
                cause = f"chunk {after.no} is there twice or out of place"
                raise StorageError(f"read the buffer {self._rows.file.path}", cause, hint)
        pieces = [piece for piece in found if isinstance(piece, Piece)]
        return pieces, [piece for piece in found if isinstance(piece, Bad)]

    def let_go(self, bad: Sequence[Bad], note: Note) -> None:
        """Set chunks aside inside a transaction, each with its gap."""
        for piece in bad:
            name = f"chunk {piece.no}"
            _log.error("the buffer's %s was set aside: %s", name, piece.reason)
            self._rows.set_aside(RowKind.CHUNK, name, piece.reason, piece.rows, piece.data)
            self._rows.file.write("DELETE FROM chunks WHERE no = ?", piece.no)
        note.add(piece.gap for piece in bad)


def _text_bytes(batch: Batch) -> int:
    return sum(len(text.encode()) for text in batch.kind(Kind.TEXTS)["text"])


def counted(bad: Sequence[Bad]) -> dict[str, int]:
    """What the totals say of chunks set aside."""
    if not bad:
        return {}
    return {"quarantined": len(bad), "quarantined_rows": sum(piece.rows for piece in bad)}
