"""Pure: what a delivery session knows of the buffer, and what it asks of its shell.

The effects of `edge.sync`, in a file of their own because the store answers to them too.
"""

from dataclasses import dataclass
from enum import Enum

from protos import sync_pb2 as pb
from protos.block import ChunkRun


@dataclass(frozen=True, slots=True)
class BufferState:
    """The buffer as of its last transaction.

    ``epoch`` 0: none granted yet. ``head``: highest seq sealed in the epoch (0: none), with its
    hash (32 zero bytes when none). ``oldest_kept``: lowest seq of the epoch still held, head + 1
    when none is. ``stored``, ``archived``: the cloud's acks as last marked. ``series_high``,
    ``series_root``: the persisted series table. ``unsealed_*``: what waits as chunks.
    ``generation``: the cloud journal's, as last marked (0: never marked).
    """

    epoch: int
    head: int
    head_hash: bytes
    oldest_kept: int
    stored: int
    archived: int
    series_high: int
    series_root: bytes
    unsealed_bytes: int
    unsealed_rows: int
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Send:
    """Put the message on the stream."""

    message: pb.GatewayMessage


@dataclass(frozen=True, slots=True)
class Seal:
    """Seal the next block of about ``bytes_target`` from chunks, the oldest or the newest ones.

    ``urgent_only``: of a chunk with anomalies, or not at all. Answer `sealed`.
    """

    bytes_target: int
    newest_first: bool = False
    urgent_only: bool = False


@dataclass(frozen=True, slots=True)
class LoadBlocks:
    """Read sealed blocks from ``from_seq`` on, at least one; answer `blocks_loaded`."""

    from_seq: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class LoadEntries:
    """Read series entries from ``first`` on, at least one; answer `entries_loaded`."""

    first: int
    limit: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Record the cloud's acks; blocks up to ``archived`` may go. Both may fall: see `Resume`."""

    stored: int
    archived: int
    generation: int


@dataclass(frozen=True, slots=True)
class BeginEpoch:
    """In one transaction: blocks above ``kept`` (epoch, seq) turn back into chunks under their ids,
    chunks in ``dropped`` go (the cloud has them), seq starts again, ``generation`` is recorded.
    Answer `epoch_begun`.

    Blocks of the old epoch that are stored and not archived stay until something of the new epoch
    is archived: the journal is in order, so by then they are too.
    """  # noqa: D205

    epoch: int
    dropped: tuple[ChunkRun, ...]
    kept: tuple[int, int]
    generation: int


@dataclass(frozen=True, slots=True)
class Close:
    """End the session. ``code`` UNSPECIFIED: this side's own judgement, not the cloud's."""

    code: pb.Code
    message: str
    hint: str
    retry_after_ms: int = 0


Effect = Send | Seal | LoadBlocks | LoadEntries | Mark | BeginEpoch | Close


class Allowed(Enum):
    """What of the buffer may be sent now."""

    ALL = "all"
    URGENT = "anomalies"
    """Blocks of chunks with anomalies, and what was sealed already."""
    NOTHING = "nothing"


class Phase(Enum):
    """Where a session is."""

    HELLO = "hello"
    """Nothing but the hello was said."""
    GRANT = "grant"
    """Waits for an epoch."""
    LIVE = "live"
    CLOSED = "closed"
