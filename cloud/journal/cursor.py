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
from protos.limits import SERIES_BYTES_MAX, SERIES_MAX
from protos.series import EMPTY_ROOT, SeriesEntry, encode_entry, roll

CLOSED_EPOCHS_MAX: Final = 64
"""Ended epochs a cursor remembers the last stored seq of; older ones go by chunk ids alone."""
LATE_MAX: Final = 3
"""Hellos in a row that come too late; then a clock that was set back is believed."""
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
    """An epoch that has ended: its last stored block and what of it is archived.

    ``deleted``: above ``stored``, the gateway had deleted up to this seq, for an earlier journal
    had archived it: what the lake does not hold of it is lost, and this is its Gap.
    """

    epoch: int
    stored: int
    stored_hash: bytes
    archived: int
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where one gateway stands; the first is `Cursor(gateway)`. Written with every block.

    ``stored`` and ``archived`` are seqs of ``epoch`` (0: none), ``series_known``,
    ``series_root`` and ``series_bytes`` the declared table of ``epoch``. ``granted`` is the session
    that was given the epoch. ``closed`` is oldest first; ``boots``, ``strikes`` and ``calm`` find
    cloned cards. Up to epoch ``pardon`` an operator has settled a fork: what is stored goes by
    chunk ids alone. ``torn`` is the epoch in which the gateway's series were found to be others
    than declared. ``heard_us`` is the newest hello's time since the boot that `boots` ends with,
    ``late`` counts those in a row that were older.
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
    pardon: int = 0
    torn: int = 0
    heard_us: int = 0
    late: int = 0
    series_bytes: int = 0
    """0 beside a table: written before it was counted, whoever has the table fills it in."""


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


def decide_block(
    cursor: Cursor, held: Held, *, session: int, epoch: int, seq: int, header: Header, hash: bytes
) -> Decision:
    """Judge a block whose ``header`` and ``hash`` were read from its checked bytes.

    Stored already with the same hash: ack again. Next: append. Beyond: resend. Another hash, or
    next with another past: FORK, the stream ends and nothing of it is stored.
    """
    turned_away = _out_of_session(cursor, session, epoch)
    if turned_away is not None:
        return turned_away
    if (header.gateway, header.epoch, header.seq) != (cursor.gateway, epoch, seq):
        named = f"({header.gateway}, {header.epoch}, {header.seq})"
        return _refuse(cursor, pb.MALFORMED, f"the block names itself {named}", _BUG_HINT)
    if seq <= cursor.stored:
        known = held.hash_at(epoch, seq)
        return Decision(cursor, (ack(cursor),)) if known in (None, hash) else fork(cursor, seq)
    if seq > cursor.stored + 1:
        return Decision(cursor, (_resend(cursor),))
    if header.prev_hash != cursor.stored_hash:
        return fork(cursor, seq)
    if header.series_high > cursor.series_known:
        return Decision(cursor, (ack(cursor), _resend(cursor)))
    if held.root_at(epoch, header.series_high) not in (None, header.series_root):
        told = f"block {seq} rests on other series 1–{header.series_high} than were declared"
        hint = "the buffer was restored from a copy: the next session begins a new epoch"
        return _refuse(replace(cursor, torn=epoch), pb.SERIES_CONFLICT, told, hint)
    stored = replace(cursor, stored=seq, stored_hash=hash)
    return Decision(stored, (ack(stored),), append=True)


def decide_declare(
    cursor: Cursor, *, session: int, epoch: int, first: int, entries: Sequence[SeriesEntry]
) -> Decision:
    """Judge declared series: the part after `series_known` is added, what is known is passed over.

    A table over SERIES_MAX entries or SERIES_BYTES_MAX bytes is refused, whole as it came.
    Known entries are not compared here: a block over another table is refused by its root.
    """
    turned_away = _out_of_session(cursor, session, epoch)
    if turned_away is not None:
        return turned_away
    numbers = [entry.entry for entry in entries]
    if first < 1 or numbers != list(range(first, first + len(entries))):
        return _refuse(cursor, pb.MALFORMED, f"entries from {first} come as {numbers[:3]}", "")
    if first > cursor.series_known + 1:
        return Decision(cursor, (ack(cursor), _resend(cursor)))
    fresh = tuple(entries[cursor.series_known + 1 - first :])
    known = cursor.series_known + len(fresh)
    size = cursor.series_bytes + sum(len(encode_entry(entry)) for entry in fresh)
    if known > SERIES_MAX or size > SERIES_BYTES_MAX:
        told = f"series 1–{known} of {size} bytes, the most is {SERIES_MAX} of {SERIES_BYTES_MAX}"
        return _refuse(cursor, pb.MALFORMED, told, _QUOTA_HINT)
    root = cursor.series_root
    for entry in fresh:
        root = roll(root, entry.leaf)
    declared = replace(cursor, series_known=known, series_root=root, series_bytes=size)
    return Decision(declared, (ack(declared),), entries=fresh)


def archive(cursor: Cursor, epoch: int, seq: int) -> Cursor:
    """The cursor once the lake holds the gateway's blocks up to (epoch, seq); never moves back."""
    if epoch == cursor.epoch:
        return replace(cursor, archived=max(cursor.archived, min(seq, cursor.stored)))
    closed = tuple(
        replace(past, archived=max(past.archived, min(seq, past.stored)))
        if past.epoch == epoch
        else past
        for past in cursor.closed
    )
    return replace(cursor, closed=closed)


def forgive(cursor: Cursor) -> Cursor:
    """The cursor once an operator has stopped the copy, or accepts both streams of a fork.

    The next hello of any epoch so far is granted a new one, in which the gateway sends all that
    this cloud does not hold by chunk id: nothing is lost and nothing is doubled.
    """
    return replace(cursor, pardon=cursor.epoch, strikes=0, calm=0)


def fork(cursor: Cursor, seq: int) -> Decision:
    """Two streams claim the same seq: the stored one stands, the other ends and keeps its own."""
    told = f"block {seq} of epoch {cursor.epoch} is held with another content"
    refusal = fault(pb.FORK, told, _FORK_HINT, FORK_RETRY_MS)
    forked = replace(cursor, forks=cursor.forks + 1)
    return Decision(forked, (refusal,), ends=True, alarm=Alarm.FORK)


_FORK_HINT: Final = (
    "two machines share one identity, or a disk was altered: give the copy a name of its own "
    "(tidegate-edge enroll --rename TOKEN), or accept both (tidegate-cloud gateways pardon NAME)"
)
_QUOTA_HINT: Final = (
    "ignore topics that mint a series per message, and upgrade the gateway: it refuses them itself"
)
_BUG_HINT: Final = "this is a fault of the gateway's software, please report it"


def _out_of_session(cursor: Cursor, session: int, epoch: int) -> Decision | None:
    """The answer to a message of another session or epoch; None when it is of the present one.

    A message of an epoch just closed is passed over: the grant that says so is on its way.
    """
    if session != cursor.session:
        told = f"session {session} was fenced by session {cursor.session}"
        return _refuse(cursor, pb.FENCED, told, "if it recurs, two machines share one identity")
    if epoch < cursor.epoch:
        return Decision(cursor)
    if epoch > cursor.epoch:
        told = f"epoch {epoch} was never granted, {cursor.epoch} is the newest"
        return _refuse(cursor, pb.EPOCH_UNKNOWN, told, _BUG_HINT)
    return None


def _refuse(cursor: Cursor, code: pb.Code, message: str, hint: str) -> Decision:
    return Decision(cursor, (fault(code, message, hint),), ends=True)


def _resend(cursor: Cursor) -> pb.CloudMessage:
    again = pb.Resend(session=cursor.session, epoch=cursor.epoch, from_seq=cursor.stored + 1)
    return pb.CloudMessage(resend=again)
