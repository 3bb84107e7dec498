"""The buffer as one synchronous thing: opened, kept, read, tended; all of it for one thread.

`edge.store.store` puts it behind a queue and a thread; a simulation can drive it as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edge.chunk import BufferStats, Loaded, Reject
from edge.keys import KeySource
from edge.seal import AeadSealer, RowKind, Sealer, SealError, marks_key, pick_cipher
from edge.store.blocks import Blocks
from edge.store.commit import Intake, Waiting
from edge.store.file import BufferFile, prepare, telling
from edge.store.lessons import Lessons
from edge.store.limits import PAGE_BYTES, BufferFull, StoreLimits
from edge.store.memory import UNSEALED_BYTES, UNSEALED_ROWS, read_entry, recall, write_totals
from edge.store.prepare import read_reject
from edge.store.recount import TORN_ENDS, check_numbers, check_order, recount_chunks
from edge.store.release import Release
from edge.store.remembered import Remembered
from edge.store.renamed import take_name
from edge.store.room import Room
from edge.store.rows import SealedRows, data_key, key_ids, number_identity
from protos.codec.wire import MalformedEntry
from protos.series import SeriesEntry

SealerMaker = Callable[[bytes], Sealer]
"""A sealer from the data key; only tests give another than the product's."""


def best_sealer(key: bytes) -> Sealer:
    """The product's sealer with the cipher that suits this processor."""
    return AeadSealer(key, pick_cipher(Path("/proc/cpuinfo").read_text()))


_SEALED_BYTES = """SELECT coalesce(sum(c.bytes), 0)
    FROM blocks b JOIN chunks c ON c.no BETWEEN b.first AND b.last
    WHERE (b.epoch, b.seq) > (?, ?)"""


class Buffer:
    """One open buffer; StorageError when it cannot be opened or its key is wrong."""

    def __init__(
        self,
        path: Path,
        *,
        gateway: str,
        keys: KeySource,
        limits: StoreLimits,
        boot_id: bytes,
        sealer: SealerMaker = best_sealer,
        begun_as: str = "",
    ) -> None:
        bound = begun_as or gateway
        keys.key()  # without one nothing is made
        prepare(path)
        self._file = BufferFile(path, limits)
        try:
            with telling(path, "read"):
                key = data_key(self._file, keys.key_for(key_ids(self._file)), bound)
                self._rows = SealedRows(self._file, bound, key, sealer(key))
                self._memory, found = recall(self._rows)
                check_order(self._rows)
                check_numbers(self._rows, self._memory, len(found.entries))
                recount_chunks(self._rows, self._memory)
                self._tell_of_the_log()
                counters = self._memory.counters()
                self._loaded = replace(found, marks_key=marks_key(key), counters=counters)
                self.release = Release(self._rows, self._memory)
                take_name(self._rows, self._memory, self.release, gateway, bound)
        except BaseException:
            self._file.abandon()
            raise
        self._limits = limits
        self._tier = keys.tier
        self.blocks = Blocks(self._rows, self._memory, gateway, boot_id)
        room = Room(self._rows, self._memory, limits, self.release)
        self.remembered = Remembered(self._rows, limits)
        self._intake = Intake(self._rows, self._memory, limits, room, self.remembered)
        self.lessons = Lessons(self._rows, limits, room)

    def _tell_of_the_log(self) -> None:
        """Count commits that a damaged log has swallowed among what is set aside.

        A last one that is not whole is counted by itself: nobody may have been told that it was
        kept.
        """
        lost = self._file.behind_the_end
        if lost.is_damage:
            with self._rows.transaction():
                name = f"{lost.commits} commits at the end of the log"
                reason = f"a frame before them is damaged; {self._file.path.name}-wal.damaged"
                self._rows.set_aside(RowKind.CHUNK, name, reason, 0, b"")
        elif lost.frames:
            totals = dict(self._memory.totals)
            with self._rows.transaction():
                write_totals(self._rows, totals, {TORN_ENDS: 1})
            self._memory.totals = totals

    def loaded(self) -> Loaded:
        """What was found at the opening; once, for it may be large."""
        loaded, self._loaded = self._loaded, Loaded((), b"", {})
        return loaded

    def keep(self, group: Sequence[Waiting]) -> None:
        """See `edge.store.commit.Intake.keep`."""
        self._intake.keep(group)

    def entries_from(self, first: int, limit: int) -> list[SeriesEntry]:
        """Up to ``limit`` series entries from number ``first`` on; an unreadable one as erased."""
        sql = "SELECT entry, device_no, leaf, data FROM entries WHERE entry >= ? ORDER BY entry"
        found = self._file.rows(sql + " LIMIT ?", first, limit)
        return [self._entry(*row) for row in found]

    def _entry(self, no: int, device_no: int, leaf: bytes, data: bytes) -> SeriesEntry:
        try:
            return read_entry(self._rows, no, device_no, leaf, data)
        except (SealError, MalformedEntry):  # told and counted when the buffer is next opened
            return SeriesEntry(no, device_no, None, b"", leaf)

    def rejects(self, limit: int) -> list[Reject]:
        """The newest rejects, newest first; an unreadable one says so itself."""
        found = self._file.rows("SELECT no, data FROM rejects ORDER BY no DESC LIMIT ?", limit)
        return [self._reject(no, data) for no, data in found]

    def rejects_kept(self, limit: int) -> list[tuple[int, Reject]]:
        """The newest rejects with their numbers, newest first."""
        found = self._file.rows("SELECT no, data FROM rejects ORDER BY no DESC LIMIT ?", limit)
        return [(no, self._reject(no, data)) for no, data in found]

    def forget_rejects(self, numbers: Sequence[int]) -> None:
        """Let go of rejects that have become readings."""
        with self._rows.transaction():
            for no in numbers:
                self._file.write("DELETE FROM rejects WHERE no = ?", no)
        self._memory.rejects.forget(frozenset(numbers))

    def _reject(self, no: int, data: bytes) -> Reject:
        try:
            return read_reject(self._rows.unseal(RowKind.REJECT, number_identity(no), 0, data))
        except SealError as error:
            return Reject(0, "", b"", f"reject {no} is damaged in the buffer: {error.cause}")

    def stats(self) -> BufferStats:
        """Sizes and counts as of now."""
        file_bytes, wal_bytes = self._file.sizes()
        counts = [self._count(table) for table in ("blocks", "rejects", "quarantine")]
        state = self._memory.state
        held = (state.released_epoch, state.released)
        sql = "SELECT coalesce(sum(rows), 0) FROM blocks WHERE (epoch, seq) > (?, ?)"
        (sealed_rows,) = self._file.one(sql, *held) or (0,)
        (sealed_bytes,) = self._file.one(_SEALED_BYTES, *held) or (0,)
        totals = self._memory.totals
        return BufferStats(
            bytes_max=self._limits.bytes_max,
            file_bytes=file_bytes,
            wal_bytes=wal_bytes,
            used_bytes=self._file.used_pages * PAGE_BYTES,
            free_bytes=self._file.free_pages * PAGE_BYTES,
            unsealed_rows=max(totals.get(UNSEALED_ROWS, 0), 0),
            unsealed_bytes=max(totals.get(UNSEALED_BYTES, 0), 0),
            sealed_rows=int(sealed_rows),
            sealed_bytes=int(sealed_bytes),
            blocks=counts[0],
            series=self._memory.state.series_high,
            rejects=counts[1],
            quarantined=counts[2],
            commits=self._memory.commits,
            refused=self._memory.refused,
            key_tier=self._tier.value,
            cipher=self._rows.sealer.name,
            counters=self._memory.counters(),
            oldest_chunk=self._oldest_chunk(),
            next_chunk=self._memory.next_chunk,
            page_bytes=self._file.pages_written * PAGE_BYTES,
        )

    def _oldest_chunk(self) -> int:
        """The lowest number of a chunk that is here, or whose block is not archived."""
        sql = "SELECT min(no) FROM chunks UNION ALL SELECT min(first) FROM blocks"
        found = [no for (no,) in self._file.rows(sql) if no is not None]
        return min(found, default=self._memory.next_chunk)

    def _count(self, table: str) -> int:
        (count,) = self._file.one(f"SELECT count(*) FROM {table}") or (0,)
        return int(count)

    def write_back(self) -> None:
        """Bound the write-ahead log; after every job."""
        self._file.write_back()

    def tend(self) -> bool:
        """A bounded slice of what may wait: archived blocks go, space returns. Whether more does.

        On a full disk it waits for the next job rather than try again and again.
        """
        try:
            return self.release.forget() or self._file.give_back()
        except BufferFull:
            return False

    def close(self) -> None:
        """Write everything back and close."""
        self._file.close()

    def abandon(self) -> None:
        """Close after a failure without touching the file."""
        self._file.abandon()
