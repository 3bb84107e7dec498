"""Chunks into the buffer: many waiting ones in one transaction, each kept whole or refused whole.

Under load one fsync then serves many. Series entries, redelivery marks, rejects and counters of a
chunk are of its transaction; marks and rejects are trimmed in the one that adds to them.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import msgspec

from edge.chunk import MARK_BYTES
from edge.seal import RowKind
from edge.store.file import pages_for
from edge.store.limits import BufferFull, StoreLimits
from edge.store.memory import (
    UNSEALED_BYTES,
    UNSEALED_ROWS,
    Memory,
    State,
    write_state,
    write_totals,
)
from edge.store.prepare import Prepared
from edge.store.remembered import Remembered
from edge.store.room import Freed, Room
from edge.store.rows import SealedRows, entry_identity, number_identity
from protos.block import ChunkRun
from protos.limits import CHUNK_COUNTER_MAX
from protos.series import SeriesEntry, roll

_COUNTER_LAST: Final = CHUNK_COUNTER_MAX - 1024
"""Where an opening ends; notes between two commits take numbers beyond it."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A prepared chunk and whoever waits for it."""

    prepared: Prepared
    future: "Future[ChunkRun]"


class Intake:
    """Keeps groups of chunks; for the writer thread."""

    def __init__(
        self,
        rows: SealedRows,
        memory: Memory,
        limits: StoreLimits,
        room: Room,
        remembered: Remembered,
    ) -> None:
        self._rows = rows
        self._memory = memory
        self._limits = limits
        self._room = room
        self._remembered = remembered

    def keep(self, group: Sequence[Waiting]) -> None:
        """One transaction for all that fit; every future is answered when it returns.

        SQLite's own failures are raised, and then no future of the group is answered.
        """
        accepted, refusals = self._admit(group)
        if accepted:
            try:
                runs = self._write([waiting.prepared for waiting in accepted])
            except BufferFull as full:
                if len(accepted) > 1:  # perhaps a smaller one fits
                    for waiting in accepted:
                        self.keep([waiting])
                else:
                    refusals.append((accepted[0], full))
            else:
                for waiting, run in zip(accepted, runs, strict=True):
                    waiting.future.set_result(run)
        for waiting, refusal in refusals:
            if isinstance(refusal, BufferFull):
                self._memory.refused += 1
                high = max(self._memory.refused_high, waiting.prepared.high)
                self._memory.refused_high = high
            waiting.future.set_exception(refusal)

    def _admit(
        self, group: Sequence[Waiting]
    ) -> tuple[list[Waiting], list[tuple[Waiting, Exception]]]:
        """Which chunks of a group may be written together, and why the others may not."""
        accepted: list[Waiting] = []
        refusals: list[tuple[Waiting, Exception]] = []
        high = self._memory.state.series_high
        pages = 0
        stuck = self._rows.file.log_is_stuck
        refused_high = self._memory.refused_high
        for waiting in group:
            prepared = waiting.prepared
            need = pages_for(prepared.row_sizes())
            wrong = self._misfit(prepared, high, max(refused_high, high))
            if wrong is None and stuck:
                wrong = self._full("the disk is full")
            elif wrong is None and self._room.short(pages + need) and not self._room.may_come():
                wrong = self._full("its bytes_max is reached")
            if wrong is not None:
                refusals.append((waiting, wrong))
                if isinstance(wrong, BufferFull):
                    refused_high = max(refused_high, prepared.high)
                continue
            accepted.append(waiting)
            pages += need
            high = max(high, prepared.entries[-1][0].entry) if prepared.entries else high
        return accepted, refusals

    def _misfit(self, prepared: Prepared, high: int, refused_high: int) -> Exception | None:
        """What is wrong with a chunk's series: the caller's order, or a refused one before it."""
        numbers = [entry.entry for entry, _ in prepared.entries]
        follows = numbers == list(range(high + 1, high + 1 + len(numbers)))
        if follows and prepared.top_series <= high + len(numbers):
            return None
        if prepared.high > high and prepared.high > 0 and refused_high > high:
            return self._full("a chunk before it, whose series it needs, was refused")
        return ValueError(
            f"a chunk names series up to {prepared.top_series} and brings {numbers[:3]}…, but the "
            f"series table ends at {high}"
        )

    def _full(self, cause: str) -> BufferFull:
        hint = "it goes on by itself once the cloud has archived what waits; until then offer again"
        return BufferFull(f"keep a chunk in the buffer {self._rows.file.path}", cause, hint)

    def _write(self, group: Sequence[Prepared]) -> list[ChunkRun]:
        memory = self._memory
        if memory.next_chunk - self._rows.current.base + len(group) > _COUNTER_LAST:
            self._rows.reopen()
            memory.next_chunk = self._rows.current.base
            memory.forget_note()
        draft = _Draft(self._rows, memory, self._limits, self._remembered)
        pages = sum(pages_for(prepared.row_sizes()) for prepared in group)
        with self._rows.transaction():
            if self._room.short(pages):
                draft.free(self._room.make(pages))
            runs = [draft.add(prepared) for prepared in group]
            draft.finish()
        draft.adopt()
        return runs


class _Draft:
    """One transaction's writes, and what memory becomes once it has ended well."""

    def __init__(
        self, rows: SealedRows, memory: Memory, limits: StoreLimits, remembered: Remembered
    ) -> None:
        self._rows = rows
        self._limits = limits
        self._memory = memory
        self._remembered = remembered.draft()
        self._next_chunk = memory.next_chunk
        self._series = (memory.state.series_high, memory.state.series_root)
        self._entries: list[SeriesEntry] = []
        self._marks = memory.marks.draft()
        self._rejects = memory.rejects.draft()
        self._added: dict[str, int] = {}
        self._totals = dict(memory.totals)
        self._freed: Freed | None = None

    def free(self, freed: Freed) -> None:
        """Take over what was let go for these chunks; before the first is added."""
        self._freed = freed
        freed.note.write(self._next_chunk)
        self._next_chunk += freed.note.numbers
        for added in (freed.added, freed.note.added):
            for name, value in added.items():
                self._count(name, value)

    def add(self, prepared: Prepared) -> ChunkRun:
        """Write one chunk; its id, or an empty run when it has no rows."""
        for entry, data in prepared.entries:
            self._add_entry(entry, data)
        if prepared.marks:
            self._add_marks(prepared.marks)
        for plain in prepared.rejects:
            self._add_reject(plain)
        if prepared.kept:
            self._remembered.keep(prepared.kept)
        for name, value in prepared.counters.items():
            self._count(name, value)
        return self._add_body(prepared)

    def _add_body(self, prepared: Prepared) -> ChunkRun:
        no, rows, opening = self._next_chunk, prepared.rows, self._rows.current
        if not rows:
            return ChunkRun(opening.prefix, no - opening.base, 0)
        identity = self._rows.chunk_identity(no)
        data = self._rows.seal(RowKind.CHUNK, identity, rows, prepared.body)
        values = (no, rows, len(prepared.body), data, int(prepared.priority), *prepared.times)
        self._rows.file.write("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)", *values)
        self._next_chunk += 1
        self._count(UNSEALED_ROWS, rows)
        self._count(UNSEALED_BYTES, len(prepared.body))
        return ChunkRun(opening.prefix, no - opening.base, 1)

    def _add_entry(self, entry: SeriesEntry, plain: bytes) -> None:
        identity = entry_identity(entry.entry, entry.device_no, entry.leaf)
        data = self._rows.seal(RowKind.ENTRY, identity, 0, plain)
        values = (entry.entry, entry.device_no, entry.leaf, data)
        self._rows.file.write("INSERT INTO entries VALUES (?, ?, ?, ?)", *values)
        self._entries.append(entry)
        self._series = (entry.entry, roll(self._series[1], entry.leaf))

    def _add_marks(self, marks: bytes) -> None:
        count = len(marks) // MARK_BYTES
        no = self._marks.append(count)
        data = self._rows.seal(RowKind.MARKS, number_identity(no), count, marks)
        self._rows.file.write("INSERT INTO marks VALUES (?, ?, ?)", no, count, data)

    def _add_reject(self, plain: bytes) -> None:
        no = self._rejects.append(len(plain))
        data = self._rows.seal(RowKind.REJECT, number_identity(no), 0, plain)
        self._rows.file.write("INSERT INTO rejects VALUES (?, ?, ?)", no, len(plain), data)
        self._count("rejects_kept", 1)

    def _count(self, name: str, value: int) -> None:
        self._added[name] = self._added.get(name, 0) + value

    def finish(self) -> None:
        """Trim what is bounded, write totals and series; the last writes of the transaction."""
        limits, file = self._limits, self._rows.file
        for no in self._marks.surplus(limits.dedup_messages_max):
            file.write("DELETE FROM marks WHERE no = ?", no)
        evicted = self._rejects.beyond(limits.rejects_max, limits.reject_bytes_max)
        for no in evicted:
            file.write("DELETE FROM rejects WHERE no = ?", no)
        if evicted:
            self._count("rejects_evicted", len(evicted))
        self._remembered.finish()
        write_totals(self._rows, self._totals, self._added)
        if self._entries:
            write_state(self._rows, self._state())

    def adopt(self) -> None:
        """Make it the memory, after the transaction."""
        memory = self._memory
        memory.state = self._state()
        if self._freed is not None:
            self._freed.note.adopt()
            memory.evict_from = self._freed.evict_from
        memory.next_chunk = self._next_chunk
        memory.device_of.extend(entry.device_no for entry in self._entries)
        memory.totals = self._totals
        self._marks.adopt()
        self._rejects.adopt()
        self._remembered.adopt()
        memory.commits += 1

    def _state(self) -> State:
        high, root = self._series
        state = self._memory.state if self._freed is None else self._freed.state
        return msgspec.structs.replace(state, series_high=high, series_root=root)
