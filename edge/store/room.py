"""Room for new chunks: what may leave a full buffer, in which order, and what it leaves behind.

First what the cloud archived; then the chunks of blocks it stored, whose recipes stay, so that a
cloud that loses its journal can still be told what is missing (DESIGN §4.15); then, when the policy
says so, the oldest unsealed readings, those beside anomalies last, each with a Gap. What is sealed
and not stored never goes, and nothing goes beyond the room that is needed.
"""

from dataclasses import dataclass, field

import msgspec

from edge.store.gaps import loss_of
from edge.store.limits import BufferFull, StoreLimits
from edge.store.memory import UNSEALED_BYTES, UNSEALED_ROWS, Memory, State, write_state
from edge.store.notes import Note
from edge.store.pieces import COLUMNS, Piece, Pieces, Row
from edge.store.prepare import Priority
from edge.store.release import Release
from edge.store.rows import SealedRows
from edge.when_full import WhenFull

NOTE_PAGES = 12
"""Pages that a note, the state and the totals may newly take."""


@dataclass(slots=True)
class Freed:
    """What one transaction let go; ``added`` are the changes of the totals without the note's."""

    note: Note
    state: State
    evict_from: list[int]
    added: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, value: int) -> None:
        """Change a total."""
        self.added[name] = self.added.get(name, 0) + value


class Room:
    """Frees pages of one buffer; for the writer thread."""

    def __init__(
        self, rows: SealedRows, memory: Memory, limits: StoreLimits, release: Release
    ) -> None:
        self._rows = rows
        self._file = rows.file
        self._memory = memory
        self._limits = limits
        self._release = release
        self._pieces = Pieces(rows, memory)

    def short(self, pages: int) -> bool:
        """Whether chunks of ``pages`` do not fit as things are."""
        return self._file.used_pages + pages > self._limits.chunk_pages_max

    def may_come(self) -> bool:
        """Whether anything could be let go; that it is enough is not said."""
        if self._release.stored_after(self._memory.state) or self._release.has_archived():
            return True
        return self._limits.when_full is WhenFull.DROP_OLDEST and self._oldest(
            self._memory.evict_from
        ) is not None  # fmt: skip

    def make(self, pages: int) -> Freed:
        """Let go until chunks of ``pages`` fit, inside a transaction.

        BufferFull when there is not enough; the transaction has to be rolled back then.
        """
        memory = self._memory
        freed = Freed(Note(self._rows, memory), memory.state, list(memory.evict_from))
        while self.short(pages + NOTE_PAGES):
            if not (self._release.forget_some() or self._give_up(freed) or self._evict(freed)):
                cause = "its bytes_max is reached, and what is left in it may not go"
                raise BufferFull(f"keep a chunk in the buffer {self._file.path}", cause)
        if freed.state is not memory.state:
            write_state(self._rows, freed.state)
        return freed

    def _give_up(self, freed: Freed) -> bool:
        """Delete the readings of the oldest stored block that still has them.

        What tells of other chunks stays until it is archived: should the cloud lose it, it is said
        again.
        """
        row = self._release.stored_after(freed.state)
        if row is None:
            return False
        self._release.delete_chunks(row, Priority.KEPT)
        freed.state = msgspec.structs.replace(
            freed.state, released_epoch=row[0], released=row[1]
        )  # fmt: skip
        freed.count("released", row[4])
        return True

    def _evict(self, freed: Freed) -> bool:
        """Delete the chunk that may go first, and note the gap."""
        if self._limits.when_full is not WhenFull.DROP_OLDEST:
            return False
        found = self._oldest(freed.evict_from)
        if found is None:
            return False
        priority, row = found
        piece = self._pieces.open(row)
        gaps = loss_of(piece.batch) if isinstance(piece, Piece) else [piece.gap]
        freed.note.add(gaps)
        self._file.write("DELETE FROM chunks WHERE no = ?", row[0])
        freed.evict_from[priority] = row[0] + 1
        freed.count(UNSEALED_ROWS, -row[1])
        freed.count(UNSEALED_BYTES, -row[2])
        freed.count("evicted", row[1])
        return True

    def _oldest(self, evict_from: list[int]) -> tuple[int, Row] | None:
        sql = (
            f"SELECT {COLUMNS} FROM chunks WHERE no BETWEEN ? AND ? AND priority = ? "
            "ORDER BY no LIMIT 1"
        )
        for priority in (Priority.ORDINARY, Priority.ANOMALY):
            for first, last in self._memory.sealed.free():
                low = max(first, evict_from[priority])
                row = self._file.one(sql, low, last, int(priority))
                if row is not None:
                    no, rows, size, data, from_us, to_us = row
                    return priority, (no, rows, size, data, from_us, to_us)
        return None
