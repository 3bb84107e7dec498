"""Pure: the bounds of the buffer, asserted against each other, and what it answers at a bound."""

from dataclasses import dataclass
from typing import Final

from edge.errors import StorageError
from edge.when_full import WhenFull
from protos.limits import BLOCK_BYTES_MAX, KIB, MIB

SCHEMA_VERSION: Final = 5
"""``PRAGMA user_version`` of a buffer this code reads; ``edge.schema`` brings older ones to it."""
PAGE_BYTES: Final = 4 * KIB
"""Pages of the file: the block of ext4 and f2fs, so that a small commit rewrites little."""


QUARANTINE_ROWS_MAX: Final = 1000
"""Damaged rows that are kept for whoever looks into them, the newest; all are counted. Those of
series and blocks stay beyond it, for they are looked for at each opening: there are few."""
QUARANTINE_BYTES_MAX: Final = MIB
"""What they keep of their bytes, the newest; of the others the name and reason are left."""


def backup_name(name: str, version: int | str) -> str:
    """The file in which a buffer of an older version is kept until the newer one opened twice."""
    return f"{name}.version-{version}"


class BufferFull(StorageError):  # noqa: N818 - an answer to be acted on, not a failure
    """The chunk was not kept: there is no room. Offer it again, in order, once there is."""


class StoreBusy(StorageError):  # noqa: N818 - an answer to be acted on, not a failure
    """The writer's queue stayed full until the caller's deadline; nothing was kept."""


class BlockUnreadable(StorageError):  # noqa: N818 - an answer to be acted on, not a failure
    """A sealed block cannot be made again: a chunk of it is damaged. A new epoch frees the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """Every bound of one buffer; ValueError when they contradict each other.

    ``bytes_max`` bounds buffer file and write-ahead log together. ``reserve`` below is room inside
    it that chunks may not take, so that a full buffer can still number blocks and let them go.
    """

    bytes_max: int = 512 * MIB
    dedup_messages_max: int = 65_536
    rejects_max: int = 1000
    reject_bytes_max: int = 4 * MIB
    queue_commits_max: int = 64
    queue_bytes_max: int = 8 * MIB
    queue_calls_max: int = 256
    queue_wait_s: float = 5.0
    when_full: WhenFull = WhenFull.REJECT

    def __post_init__(self) -> None:
        if self.bytes_max < MIB:
            raise ValueError(f"bytes_max: a buffer needs at least {MIB} bytes")
        if self.dedup_messages_max < 0 or self.rejects_max < 0 or self.reject_bytes_max < 0:
            raise ValueError("a number of rows or bytes to keep is not negative")
        if self.queue_commits_max < 1 or self.queue_calls_max < 1 or self.queue_wait_s < 0:
            raise ValueError("the queue holds at least one job")
        if self.queue_bytes_max < self.chunk_bytes_max:
            raise ValueError("queue_bytes_max: the queue must hold the largest chunk")

    @property
    def wal_bytes_max(self) -> int:
        """Most that the write-ahead log takes: half before a checkpoint, half for one commit."""
        return min(8 * MIB, self.bytes_max // 4)

    @property
    def chunk_bytes_max(self) -> int:
        """Most that one chunk may take: with its frame it fits a commit, and half of a block."""
        return min(BLOCK_BYTES_MAX // 2, self.wal_bytes_max // 4)

    @property
    def lesson_bytes_max(self) -> int:
        """Most that is kept of what devices told of themselves; a sixteenth of a small buffer."""
        return min(2 * MIB, self.bytes_max // 16)

    @property
    def remembered_bytes_max(self) -> int:
        """Most that detection keeps over a restart; a sixteenth of a small buffer."""
        return min(8 * MIB, self.bytes_max // 16)

    @property
    def group_bytes_max(self) -> int:
        """Most that is committed at once; frames of whole pages stay within half of the log."""
        return self.wal_bytes_max // 4

    @property
    def checkpoint_pages(self) -> int:
        """Pages in the log at which it is written back."""
        return self.wal_bytes_max // 2 // PAGE_BYTES

    @property
    def pages_max(self) -> int:
        """The hard wall of the file itself (``max_page_count``)."""
        return (self.bytes_max - self.wal_bytes_max) // PAGE_BYTES

    @property
    def chunk_pages_max(self) -> int:
        """Pages in use at which chunks are refused; the rest is the reserve."""
        return self.pages_max - max(32, self.pages_max // 64)
