"""What the cloud's word does here: acks let blocks go, an epoch frees what was not stored.

Only what is archived is deleted. Blocks of an older epoch that were stored stay until something of
the epoch now is archived: the cloud's journal is in order, so by then they are archived too.
"""

from collections.abc import Sequence

import msgspec

from edge.seal import SealError
from edge.store.memory import (
    UNSEALED_BYTES,
    UNSEALED_ROWS,
    Memory,
    State,
    read_recipe,
    write_state,
    write_totals,
)
from edge.store.rows import SealedRows
from edge.sync_effects import BufferState
from protos.block import GENESIS_HASH, ChunkRun

_FORGET_BLOCKS = 16
"""Blocks let go in one transaction, so that a commit waits for no more than that."""
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
        sql = "SELECT min(seq) FROM blocks WHERE epoch = ? AND seq > ?"
        (oldest,) = self._file.one(sql, state.epoch, state.archived) or (None,)
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
        state = self._memory.state
        sql = f"SELECT 1 FROM blocks WHERE {_ARCHIVED} LIMIT 1"
        if self._file.one(sql, state.epoch, state.archived) is None:
            return False
        with self._rows.transaction():
            self._forget(state)
        return True

    def _forget(self, state: State) -> None:
        sql = f"SELECT * FROM blocks WHERE {_ARCHIVED} ORDER BY epoch, seq LIMIT {_FORGET_BLOCKS}"
        for row in self._file.rows(sql, state.epoch, state.archived):
            first, last = self._span(row)
            self._file.write("DELETE FROM chunks WHERE no BETWEEN ? AND ?", first, last)
            self._file.write("DELETE FROM blocks WHERE epoch = ? AND seq = ?", row[0], row[1])

    def _span(self, row: tuple[int, int, int, int, int, bytes]) -> tuple[int, int]:
        """The chunks of a block: as sealed, or as its columns say, but never an unsealed one."""
        try:
            recipe = read_recipe(self._rows, row)
        except SealError:
            return row[2], min(row[3], self._memory.sealed_through)
        return recipe.first, recipe.last

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
        totals = dict(self._memory.totals)
        with self._rows.transaction():
            self._file.write("DELETE FROM blocks WHERE (epoch, seq) > (?, ?)", *kept)
            (sealed,) = self._file.one("SELECT coalesce(max(last), 0) FROM blocks") or (0,)
            for run in dropped:
                self._drop(run, sealed)
            sql = "SELECT coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM chunks WHERE no > ?"
            rows, size = self._file.one(sql, sealed) or (0, 0)
            added = {
                UNSEALED_ROWS: rows - totals.get(UNSEALED_ROWS, 0),
                UNSEALED_BYTES: size - totals.get(UNSEALED_BYTES, 0),
            }
            write_totals(self._rows, totals, added)
            write_state(self._rows, new)
        self._memory.state, self._memory.totals = new, totals
        self._memory.sealed_through = sealed
        return self.state()

    def _drop(self, run: ChunkRun, sealed: int) -> None:
        span = self._rows.span(run)
        if span is not None:
            sql = "DELETE FROM chunks WHERE no BETWEEN ? AND ? AND no > ?"
            self._file.write(sql, *span, sealed)
