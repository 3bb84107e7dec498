"""Notes: chunks of GAPS rows, which tell the cloud what will never come, and are sent first.

There is at most one note that was neither sealed nor written before this opening; losses are joined
into it, so an outage of a month leaves a few rows. A note of an earlier opening is never rewritten:
after a card went back in time the cloud may hold it under the same id.
"""

from collections.abc import Iterable

from edge.seal import RowKind
from edge.store.gaps import Gap, batch_of, join
from edge.store.memory import UNSEALED_BYTES, UNSEALED_ROWS, Memory
from edge.store.prepare import Priority
from edge.store.rows import SealedRows
from protos.codec.body import encode_body


class Note:
    """What one transaction has to tell; `write` inside it, `adopt` once it has ended well."""

    def __init__(self, rows: SealedRows, memory: Memory) -> None:
        self._rows = rows
        self._memory = memory
        self._new: list[Gap] = []
        self._state = (memory.note_no, memory.note_gaps, memory.note_bytes)
        self.added: dict[str, int] = {}
        self.numbers = 0

    def add(self, gaps: Iterable[Gap]) -> None:
        """Take in losses."""
        self._new += gaps

    def write(self, next_chunk: int) -> None:
        """Write the note when there is one; takes ``numbers`` (0 or 1) from ``next_chunk`` on.

        ``added`` are then the changes of the totals.
        """
        if not self._new:
            return
        no, gaps, size = self._state
        joined = join([*gaps, *self._new])
        body = encode_body(batch_of(joined))
        if not no:
            no, self.numbers = next_chunk, 1
        else:
            self._rows.file.write("DELETE FROM chunks WHERE no = ?", no)
        data = self._rows.seal(RowKind.CHUNK, self._rows.chunk_identity(no), len(joined), body)
        first, last = min(gap.from_us for gap in joined), max(gap.to_us for gap in joined)
        values = (no, len(joined), len(body), data, int(Priority.KEPT), first, last)
        self._rows.file.write("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)", *values)
        self.added = {
            UNSEALED_ROWS: len(joined) - len(gaps),
            UNSEALED_BYTES: len(body) - size,
            "gaps": max(len(joined) - len(gaps), 0),
        }
        self._state = (no, joined, len(body))

    def adopt(self) -> None:
        """Make it the memory."""
        memory = self._memory
        memory.next_chunk += self.numbers
        memory.note_no, memory.note_gaps, memory.note_bytes = self._state
