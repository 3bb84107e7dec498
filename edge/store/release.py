"""What the cloud's word does here: acks let blocks go, an epoch frees what was not stored.

Only what is archived is deleted, and under pressure what is stored (`edge.store.room`). Blocks of
an older epoch that were stored stay until something of the epoch now is archived: the cloud's
journal is in order, so by then they are archived too.
"""

from collections.abc import Mapping, Sequence

import msgspec

from edge.seal import SealError
from edge.store.gaps import Gap
from edge.store.memory import (
    UNSEALED_BYTES,
    UNSEALED_ROWS,
    Memory,
    State,
    read_recipe,
    write_state,
    write_totals,
)
from edge.store.notes import Note
from edge.store.prepare import Priority
from edge.store.rows import SealedRows
from edge.store.spans import Spans
from edge.sync_effects import BufferState
from protos.block import GENESIS_HASH, ChunkRun
from protos.records import GapReason

_FORGET_BLOCKS = 16
"""Blocks let go in one transaction, so that a commit waits for no more than that."""
BlockRow = tuple[int, int, int, int, int, bytes]
"""A row of `blocks`: epoch, seq, first, last, rows, data."""
_ARCHIVED = "(epoch < ?1 AND ?2 > 0) OR (epoch = ?1 AND seq <= ?2)"


class Release:
    """Acks and epochs of one buffer; for the writer thread."""

    def __init__(self, rows: SealedRows, memory: Memory) -> None:
        self._rows = rows
        self._file = rows.file
        self._memory = memory

    def state(self) -> BufferState:
        """Where the buffer stands."""
        state, totals = self._memory.state, self._memory.totals
        released = state.released if state.released_epoch == state.epoch else 0
        sql = "SELECT min(seq) FROM blocks WHERE epoch = ? AND seq > ?"
        (oldest,) = self._file.one(sql, state.epoch, max(state.archived, released)) or (None,)
        return BufferState(
            epoch=state.epoch,
            head=state.head,
            head_hash=state.head_hash,
            oldest_kept=state.head + 1 if oldest is None else oldest,
            stored=state.stored,
            archived=state.archived,
            series_high=state.series_high,
            series_root=state.series_root,
            unsealed_bytes=max(totals.get(UNSEALED_BYTES, 0), 0),
            unsealed_rows=max(totals.get(UNSEALED_ROWS, 0), 0),
            generation=state.generation,
        )

    def mark(self, stored: int, archived: int, generation: int) -> None:
        """Take the cloud's acks, which may fall when it lost its journal; ``generation`` 0: as is.

        A stored mark alone costs no write: the cloud says it again at every hello. It is written
        with the next state that is. What lies above head is not ours to hold and is not recorded.
        """
        old = self._memory.state
        new = msgspec.structs.replace(
            old,
            stored=min(stored, old.head),
            archived=min(archived, stored, old.head),
            generation=generation or old.generation,
        )
        if (new.archived, new.generation) != (old.archived, old.generation):
            with self._rows.transaction():
                write_state(self._rows, new)
                self._forget(new)
        self._memory.state = new

    def forget(self) -> bool:
        """Let go of some archived blocks; whether there were any."""
        if not self.has_archived():
            return False
        with self._rows.transaction():
            self.forget_some()
        return True

    def has_archived(self) -> bool:
        """Whether archived blocks are still here."""
        state = self._memory.state
        # The first block tells: asked after every job, it must cost no more than one row.
        oldest = self._file.one("SELECT epoch, seq FROM blocks ORDER BY epoch, seq LIMIT 1")
        if oldest is None:
            return False
        epoch, seq = oldest
        if epoch == state.epoch:
            return bool(seq <= state.archived)
        return bool(epoch < state.epoch and state.archived > 0)

    def forget_some(self) -> bool:
        """The same as `forget`, inside a transaction."""
        return self._forget(self._memory.state)

    def _forget(self, state: State) -> bool:
        sql = f"SELECT * FROM blocks WHERE {_ARCHIVED} ORDER BY epoch, seq LIMIT {_FORGET_BLOCKS}"
        rows = self._file.rows(sql, state.epoch, state.archived)
        for row in rows:
            self.delete_chunks((row[0], row[1], row[2], row[3], row[4], row[5]))
            self._file.write("DELETE FROM blocks WHERE epoch = ? AND seq = ?", row[0], row[1])
        return bool(rows)

    def stored_after(self, state: State) -> BlockRow | None:
        """The oldest stored block that has not given its chunks up by ``state``."""
        sql = (
            "SELECT * FROM blocks WHERE (epoch, seq) > (?, ?) AND (epoch, seq) <= (?, ?) "
            "ORDER BY epoch, seq LIMIT 1"
        )
        after = (state.released_epoch, state.released)
        row = self._file.one(sql, *after, state.epoch, state.stored)
        return None if row is None else (row[0], row[1], row[2], row[3], row[4], row[5])

    def delete_chunks(self, row: BlockRow, below: int = Priority.KEPT + 1) -> None:
        """Delete the chunks of a block whose priority is ``below`` this, inside a transaction.

        Its recipe tells which they are; when it is unreadable its columns do, but chunks that
        another block names as well are not touched.
        """
        try:
            recipe = read_recipe(self._rows, row)
        except SealError:
            sql = (
                "DELETE FROM chunks WHERE no BETWEEN ?1 AND ?2 AND priority < ?5 AND NOT EXISTS"
                " (SELECT 1 FROM blocks WHERE no BETWEEN first AND last"
                " AND (epoch, seq) <> (?3, ?4))"
            )
            self._file.write(sql, row[2], row[3], row[0], row[1], below)
        else:
            sql = "DELETE FROM chunks WHERE no BETWEEN ? AND ? AND priority < ?"
            self._file.write(sql, recipe.first, recipe.last, below)

    def begin_epoch(
        self,
        epoch: int,
        dropped: Sequence[ChunkRun],
        kept: tuple[int, int] | None = None,
        generation: int = 0,
    ) -> BufferState:
        """Start ``epoch`` at seq 1; chunks of ``dropped`` go, for the cloud has them.

        Blocks above ``kept`` (epoch, seq) are chunks again, under their ids; without it those above
        the stored mark. ``generation`` 0: as it was. ValueError when the epoch does not rise.
        """
        old = self._memory.state
        kept = kept or (old.epoch, old.stored)
        if epoch <= old.epoch:
            raise ValueError(f"epoch {epoch} does not follow epoch {old.epoch}")
        new = msgspec.structs.replace(
            old, epoch=epoch, head=0, head_hash=GENESIS_HASH, stored=0, archived=0,
            generation=generation or old.generation,
        )  # fmt: skip
        memory, totals = self._memory, dict(self._memory.totals)
        memory.forget_note()
        note = Note(self._rows, memory)
        sealed = Spans()
        with self._rows.transaction():
            note.add(self._given_up(old, kept))
            self._file.write("DELETE FROM blocks WHERE (epoch, seq) > (?, ?)", *kept)
            for first, last in self._file.rows("SELECT first, last FROM blocks"):
                sealed.add(first, last)
            for run in dropped:
                self._drop(run)
            note.write(memory.next_chunk)
            write_totals(self._rows, totals, self._recount(sealed, totals))
            write_state(self._rows, new)
        memory.state, memory.totals, memory.sealed = new, totals, sealed
        memory.evict_from = [0, 0]
        note.adopt()
        return self.state()

    def _given_up(self, old: State, kept: tuple[int, int]) -> list[Gap]:
        """Blocks that the cloud had stored and has lost, when they gave their chunks up here."""
        sql = "SELECT * FROM blocks WHERE (epoch, seq) > (?, ?) AND (epoch, seq) <= (?, ?)"
        gaps = []
        for row in self._file.rows(sql, *kept, old.released_epoch, old.released):
            try:
                recipe = read_recipe(self._rows, row)
                times = (recipe.from_us, recipe.to_us)
            except SealError:
                times = (0, 0)
            seq = row[1] if row[0] == old.epoch else 0
            sql = "SELECT coalesce(sum(rows), 0) FROM chunks WHERE no BETWEEN ? AND ?"
            (left,) = self._file.one(sql, row[2], row[3]) or (0,)  # notes are still here
            if row[4] > left:
                reason = GapReason.DELETED_BEFORE_LOSS
                gaps.append(Gap(*times, row[4] - left, reason, seq, seq))
        return gaps

    def _recount(self, sealed: Spans, totals: Mapping[str, int]) -> dict[str, int]:
        """Changes of the totals that make them what lies outside of ``sealed``."""
        sql = "SELECT coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM chunks"
        sql += " WHERE no BETWEEN ? AND ?"
        found = [self._file.one(sql, *stretch) or (0, 0) for stretch in sealed.free()]
        return {
            UNSEALED_ROWS: sum(rows for rows, _ in found) - totals.get(UNSEALED_ROWS, 0),
            UNSEALED_BYTES: sum(size for _, size in found) - totals.get(UNSEALED_BYTES, 0),
        }

    def _drop(self, run: ChunkRun) -> None:
        span = self._rows.span(run)
        if span is not None:
            sql = (
                "DELETE FROM chunks WHERE no BETWEEN ? AND ? AND NOT EXISTS "
                "(SELECT 1 FROM blocks WHERE chunks.no BETWEEN first AND last)"
            )
            self._file.write(sql, *span)
