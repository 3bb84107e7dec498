"""The buffer: what was taken in stays here, sealed, until the cloud has archived it.

One SQLite file on one writer thread. Every method may be called from any thread; futures resolve on
the writer's thread after the fsync, so what is called back there has to be short. A full buffer is
an answer (BufferFull), a failing disk is the end of the store (StorageError for everything after).

File and tables: docs/format/buffer.md · chunk, block, epoch: docs/decisions/0011.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from edge.chunk import BufferStats, Chunk, Loaded, Reject
from edge.errors import StorageError
from edge.keys import KeySource
from edge.store.buffer import Buffer, SealerMaker, best_sealer
from edge.store.commit import Waiting
from edge.store.lessons import Lesson
from edge.store.limits import StoreLimits
from edge.store.prepare import prepare_chunk
from edge.store.remembered import Item
from edge.store.thread import Call, Writer
from edge.sync_effects import BufferState
from protos.block import Block, ChunkRun
from protos.series import SeriesEntry

_T = TypeVar("_T")
CLOSE_S: Final = 60.0
"""Most that closing waits for what is queued and for the log to be written back."""


class Store:
    """The open buffer of one gateway; use `Store.open`."""

    def __init__(self, buffer: Buffer, limits: StoreLimits) -> None:
        self._buffer = buffer
        self._limits = limits
        self._writer = Writer(buffer, limits)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        gateway: str,
        keys: KeySource,
        limits: StoreLimits,
        boot_id: bytes,
        sealer: SealerMaker = best_sealer,
        begun_as: str = "",
    ) -> "Store":
        """Open the buffer at ``path``, making or migrating it first.

        ``begun_as``: the name it was made under, where the gateway was renamed since.

        StorageError: the key is wrong, another agent has it, it is damaged or too new.
        OperatorError: there is no key.
        """
        made = Buffer(
            path, gateway=gateway, keys=keys, limits=limits, boot_id=boot_id, sealer=sealer,
            begun_as=begun_as,
        )  # fmt: skip
        return cls(made, limits)

    @property
    def turns(self) -> int:
        """How often the writer came round: after each group of commits, and each question."""
        return self._writer.turns

    def commit(self, chunk: Chunk) -> "Future[ChunkRun]":
        """Keep a chunk; resolves after the fsync with its id (count 0 when it had no rows).

        Encodes on the caller's thread and blocks it while the queue is full, up to
        ``queue_wait_s``. ValueError at once for a malformed or oversized chunk; through the future:
        BufferFull (nothing was kept; offer it again, before later ones), StoreBusy, StorageError.
        """
        waiting = Waiting(prepare_chunk(chunk, self._limits), Future())
        self._put(waiting)
        return waiting.future

    def sync_state(self) -> "Future[BufferState]":
        """Where the buffer stands, after all jobs before this one."""
        return self._call(self._buffer.release.state)

    def seal_next(
        self,
        *,
        bytes_target: int,
        mono_us: int,
        wall_us: int,
        newest_first: bool = False,
        urgent_only: bool = False,
    ) -> "Future[Block | None]":
        """Number the oldest chunks, or the newest, as the next block; gaps go before both.

        None when none waits, none with anomalies if only those are asked for, or without an epoch.
        """
        ends = {"newest_first": newest_first, "urgent_only": urgent_only}
        seal = self._buffer.blocks.seal_next
        return self._call(lambda: seal(bytes_target, mono_us, wall_us, **ends))

    def blocks_from(self, seq: int, bytes_max: int) -> "Future[list[Block]]":
        """Sealed blocks of the epoch from ``seq`` on, at least one if held; BlockUnreadable."""
        return self._call(lambda: self._buffer.blocks.blocks_from(seq, bytes_max))

    def mark(self, stored: int, archived: int, generation: int = 0) -> "Future[None]":
        """Take the cloud's acks; blocks up to ``archived`` go. ``generation`` 0: as it was."""
        return self._call(lambda: self._buffer.release.mark(stored, archived, generation))

    def begin_epoch(
        self,
        epoch: int,
        dropped: Sequence[ChunkRun],
        kept: tuple[int, int] | None = None,
        generation: int = 0,
    ) -> "Future[BufferState]":
        """Free the blocks above ``kept`` (None: the stored mark), drop what the cloud has, start.

        One transaction, which also records the ``generation`` of the cloud's journal (0: as is).
        """
        begin = self._buffer.release.begin_epoch
        return self._call(lambda: begin(epoch, dropped, kept, generation))

    def entries_from(self, first: int, limit: int) -> "Future[list[SeriesEntry]]":
        """Up to ``limit`` series entries from number ``first`` on."""
        return self._call(lambda: self._buffer.entries_from(first, limit))

    def load(self) -> Loaded:
        """Series, marks and counters as found at the opening; to be asked once, at the start."""
        return self._call(self._buffer.loaded).result()

    def stats(self) -> "Future[BufferStats]":
        """Sizes and counts."""
        return self._call(self._buffer.stats)

    def rejects(self, limit: int) -> "Future[list[Reject]]":
        """The newest rejects, newest first."""
        return self._call(lambda: self._buffer.rejects(limit))

    def rejects_kept(self, limit: int) -> "Future[list[tuple[int, Reject]]]":
        """The newest rejects with their numbers, newest first."""
        return self._call(lambda: self._buffer.rejects_kept(limit))

    def forget_rejects(self, numbers: Sequence[int]) -> "Future[None]":
        """Let go of rejects that have become readings."""
        return self._call(lambda: self._buffer.forget_rejects(numbers))

    def lessons(self) -> list[Lesson]:
        """What devices told of themselves in earlier runs, oldest first; waits for the buffer."""
        return self._call(self._buffer.lessons.recall).result()

    def keep_lessons(self, lessons: Sequence[Lesson]) -> "Future[None]":
        """Keep what devices told of themselves; BufferFull, StoreBusy: offer them again."""
        return self._call(lambda: self._buffer.lessons.keep(lessons))

    def remembered(self) -> list[Item]:
        """What detection kept in earlier runs, oldest first; waits for the buffer."""
        return self._call(self._buffer.remembered.recall).result()

    def close(self) -> None:
        """Finish what is queued, write back, close; StorageError when the store had failed."""
        self._writer.queue.close(StorageError("use the buffer", "it is closed"))
        self._writer.join(CLOSE_S)

    def _call(self, run: Callable[[], _T]) -> "Future[_T]":
        call = Call(run, Future())
        self._put(call)
        return call.future

    def _put(self, job: Waiting | Call) -> None:
        try:
            self._writer.queue.put(job)
        except StorageError as refused:
            future: Future[Any] = job.future
            future.set_exception(refused)
