"""What an uplink needs of the buffer; `edge.store.store.Store` is one."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from edge.sync_effects import BufferState
from protos.block import Block, ChunkRun
from protos.series import SeriesEntry


class Buffer(Protocol):
    """What a session asks of the store; every call is one transaction, in order of the calls.

    ``newest_first`` seals the newest unsealed chunks instead of the oldest; those between stay
    unsealed, keep their ids, and are sealed by later calls. ``urgent_only`` likewise seals a chunk
    with anomalies, if one waits.
    """

    def sync_state(self) -> Future[BufferState]:
        """Where the buffer stands."""

    def seal_next(
        self,
        *,
        bytes_target: int,
        mono_us: int,
        wall_us: int,
        newest_first: bool = False,
        urgent_only: bool = False,
    ) -> Future[Block | None]:
        """Number the next block; None when no chunk waits or there is no epoch."""

    def blocks_from(self, seq: int, bytes_max: int) -> Future[list[Block]]:
        """Sealed blocks of the epoch from ``seq`` on."""

    def mark(self, stored: int, archived: int, generation: int = 0) -> Future[None]:
        """Take the cloud's acks."""

    def begin_epoch(
        self,
        epoch: int,
        dropped: Sequence[ChunkRun],
        kept: tuple[int, int] | None = None,
        generation: int = 0,
    ) -> Future[BufferState]:
        """Blocks above ``kept`` (epoch, seq) are chunks again, ``dropped`` chunks go."""

    def entries_from(self, first: int, limit: int) -> Future[list[SeriesEntry]]:
        """Series entries from ``first`` on."""
