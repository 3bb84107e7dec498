"""Pure: the cloud's side of delivery: one gateway's cursor, and what each message does to it.

A journal reads the cursor, asks a decision, and in ONE transaction writes the decision's cursor,
the block (`append`) and the series entries; after the fsync, and only then, it sends the replies.
Nothing here waits, reads a clock or touches a disk; `Held` is how a rule asks what is stored.
The clauses are those of the delivery protocol, in docs/decisions/0020 to 0024.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Protocol

import msgspec

from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, ChunkRun, Header
from protos.limits import PROTOCOL_MAX, PROTOCOL_MIN, SEQ_MAX, SERIES_MAX, STORED_CHUNKS_MAX
from protos.series import EMPTY_ROOT, SeriesEntry, roll

CLOSED_EPOCHS_MAX: Final = 64
"""Ended epochs a cursor remembers the last stored seq of; older ones go by chunk ids alone."""
BOOTS_MAX: Final = 8
"""Boot ids remembered, newest last: a machine never boots into an id that another replaced."""
CLONE_STRIKES_MAX: Final = 3
"""Returns of a replaced boot id that are forgiven (a restored machine image does it once)."""
CALM_HELLOS: Final = 12
"""Hellos in a row from one boot id that clear the strikes: about two hours of refused retries."""
CLONE_RETRY_MS: Final = 600_000
FORK_RETRY_MS: Final = 600_000


class Alarm(IntEnum):
    """What an operator must hear of; the numbers may be kept in a ledger."""

    REWIND = 1
    FORK = 2
    CLONE = 3
    FALLBACK = 4
    """The gateway is ahead of this cloud: a journal restored from an old copy."""


@dataclass(frozen=True, slots=True)
class Closed:
    """An epoch that has ended: its last stored block and what of it is archived."""

    epoch: int
    stored: int
    stored_hash: bytes
    archived: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where one gateway stands; the first is `Cursor(gateway)`. Written with every block.

    ``stored`` and ``archived`` are seqs of ``epoch`` (0: none), ``series_known`` and
    ``series_root`` the declared table of ``epoch``. ``granted`` is the session that was given the
    epoch. ``closed`` is oldest first; ``boots``, ``strikes`` and ``calm`` find cloned cards.
    """

    gateway: str
    session: int = 0
    epoch: int = 0
    stored: int = 0
    stored_hash: bytes = GENESIS_HASH
    archived: int = 0
    series_known: int = 0
    series_root: bytes = EMPTY_ROOT
    granted: int = 0
    closed: tuple[Closed, ...] = ()
    boots: tuple[bytes, ...] = ()
    strikes: int = 0
    calm: int = 0
    forks: int = 0


def encode_cursor(cursor: Cursor) -> bytes:
    """The cursor as bytes for a column or a log; MessagePack by field name, so it may grow."""
    return msgspec.msgpack.encode(cursor)


def decode_cursor(data: bytes) -> Cursor:
    """The reverse; msgspec.DecodeError or ValidationError when the bytes are no cursor."""
    return msgspec.msgpack.decode(data, type=Cursor)


class Held(Protocol):
    """What the journal holds of this one gateway, asked inside the deciding transaction."""

    def hash_at(self, epoch: int, seq: int) -> bytes | None:
        """Hash of the stored block, None when not held (never stored, or trimmed)."""

    def chunks_above(self, epoch: int, seq: int) -> Sequence[ChunkRun]:
        """Chunk ids in stored blocks after (epoch, seq), later epochs included.

        More than that does no harm: the gateway drops what the cloud has, nothing else.
        """

    def root_at(self, epoch: int, entry: int) -> bytes | None:
        """Root of the declared entries 1..entry of the epoch; None when so many are not held."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, all in one transaction, and what to say once it is durable.

    ``append``: store the judged block. ``entries``: add to the series table of `cursor.epoch`.
    ``ends``: the stream closes after the replies. ``alarm`` is for the ledger. Whether anything is
    to be written at all: ``cursor`` differs from the one asked about, or ``append``.
    """

    cursor: Cursor
    replies: tuple[pb.CloudMessage, ...] = ()
    append: bool = False
    entries: tuple[SeriesEntry, ...] = ()
    ends: bool = False
    alarm: Alarm | None = None


def ack(cursor: Cursor) -> pb.CloudMessage:
    """The two levels as they stand; contiguous prefixes, so the newest says all."""
    return pb.CloudMessage(
        ack=pb.Ack(
            session=cursor.session,
            epoch=cursor.epoch,
            stored=cursor.stored,
            archived=cursor.archived,
            series_known=cursor.series_known,
        )
    )


def fault(code: pb.Code, message: str, hint: str, retry_after_ms: int = 0) -> pb.CloudMessage:
    """A refusal with its reason and the way out."""
    return pb.CloudMessage(
        fault=pb.Fault(code=code, message=message, hint=hint, retry_after_ms=retry_after_ms)
    )
