"""Pure: how a session begins and how epochs end: the other half of `cloud.journal.cursor`.

A Hello either resumes the gateway's epoch, or finds that the gateway or this cloud stepped back in
time and closes the epoch at once: Resume speaks of the epoch of the Hello, so that the gateway
knows what of it is stored, and the EpochGrant behind it names the chunks that it must drop.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cloud.journal.cursor import (
    BOOTS_MAX,
    CALM_HELLOS,
    CLONE_RETRY_MS,
    CLONE_STRIKES_MAX,
    CLOSED_EPOCHS_MAX,
    LATE_MAX,
    Alarm,
    Closed,
    Cursor,
    Decision,
    Held,
    fault,
    fork,
)
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, ChunkRun
from protos.limits import PROTOCOL_MAX, PROTOCOL_MIN, SEQ_MAX, STORED_CHUNKS_MAX
from protos.series import EMPTY_ROOT


def decide_hello(
    cursor: Cursor, held: Held, hello: pb.Hello, *, generation: int, window_bytes: int
) -> Decision:
    """Judge a Hello: a refusal leaves session and epoch alone, anything else fences older ones."""
    refusal = _refusal(cursor, hello)
    if refusal is not None:
        return Decision(cursor, (refusal,), ends=True)
    if _is_late(cursor, hello):
        told = f"this hello is older than the one of session {cursor.session}"
        refusal = fault(pb.FENCED, told, "it was under way for long: nothing needs to be done")
        return Decision(replace(cursor, late=cursor.late + 1), (refusal,), ends=True)
    cursor = replace(_meet(cursor, hello.boot_id), heard_us=hello.mono_us, late=0)
    if cursor.strikes >= CLONE_STRIKES_MAX:
        told = "two machines take turns with this gateway's identity"
        hint = (
            "stop the copy, or name it anew with all it holds (tidegate-edge enroll --rename TOKEN)"
        )
        refusal = fault(pb.CLONE, told, hint, CLONE_RETRY_MS)
        return Decision(cursor, (refusal,), ends=True, alarm=Alarm.CLONE)
    past = _standing(cursor, hello.epoch)
    if _is_forked(past, held, hello):
        return fork(cursor, hello.head)
    cursor = replace(cursor, session=cursor.session + 1)
    resume = pb.Resume(
        protocol=min(hello.protocol_max, PROTOCOL_MAX),
        session=cursor.session,
        generation=generation,
        epoch=hello.epoch,
        stored=past.stored,
        archived=past.archived,
        stored_hash=past.stored_hash,
        window_bytes=window_bytes,
        series_known=cursor.series_known if hello.epoch == cursor.epoch else 0,
    )
    greeting = pb.CloudMessage(resume=resume)
    is_fallback = hello.epoch > cursor.epoch or (
        hello.epoch > 0 and hello.generation not in (0, generation)
    )
    alarm = Alarm.FALLBACK if is_fallback else _stepped_back(cursor, past, hello)
    is_settled = alarm is None and hello.epoch == cursor.epoch > cursor.pardon
    if hello.epoch == 0 or is_settled:
        return Decision(cursor, (greeting,))
    if is_fallback:
        past = replace(past, deleted=max(hello.oldest_kept - 1, 0))
        granted = _grant(cursor, held, past, *_newest_of_both(cursor, past, hello))
    else:
        granted = _grant(cursor, held, past, past.epoch, min(hello.head, past.stored))
    return replace(granted, replies=(greeting, *granted.replies), alarm=granted.alarm or alarm)


def decide_epoch_request(cursor: Cursor, held: Held, request: pb.EpochRequest) -> Decision:
    """Close the epoch that the gateway gives up and grant the next; asked twice, answer alike."""
    if request.session != cursor.session:
        told = f"session {request.session} was fenced by session {cursor.session}"
        return Decision(cursor, (fault(pb.FENCED, told, ""),), ends=True)
    closed = request.closed_epoch
    if closed > cursor.epoch:
        told = f"epoch {closed} was never granted, {cursor.epoch} is the newest"
        return Decision(cursor, (fault(pb.EPOCH_UNKNOWN, told, "reconnect"),), ends=True)
    past = _standing(cursor, closed)
    if closed < cursor.epoch and cursor.granted == cursor.session and cursor.stored == 0:
        return _granted(cursor, held, past, past.epoch, past.stored)
    return _grant(cursor, held, past, past.epoch, past.stored)


def coalesce(runs: Iterable[ChunkRun]) -> list[ChunkRun]:
    """The same chunk ids in the fewest runs, ordered by prefix and counter."""
    merged: list[ChunkRun] = []
    for run in sorted(runs, key=lambda run: (run.prefix, run.first)):
        last = merged[-1] if merged else None
        if last is not None and last.prefix == run.prefix and run.first <= last.first + last.count:
            end = max(last.first + last.count, run.first + run.count)
            merged[-1] = ChunkRun(last.prefix, last.first, end - last.first)
        else:
            merged.append(run)
    return merged


def _refusal(cursor: Cursor, hello: pb.Hello) -> pb.CloudMessage | None:
    if hello.gateway != cursor.gateway:
        told = f"the certificate is {cursor.gateway}'s, the hello says {hello.gateway!r}"
        return fault(pb.NAME_MISMATCH, told, "give the gateway its own certificate: enrol it")
    if hello.protocol_max < PROTOCOL_MIN or hello.protocol_min > PROTOCOL_MAX:
        theirs = f"{hello.protocol_min}–{hello.protocol_max}"
        told = f"the gateway speaks protocol {theirs}, this cloud {PROTOCOL_MIN}–{PROTOCOL_MAX}"
        older = "the gateway" if hello.protocol_max < PROTOCOL_MIN else "the cloud"
        return fault(pb.PROTOCOL_UNSUPPORTED, told, f"upgrade {older}")
    sane = len(hello.head_hash) == len(GENESIS_HASH) and len(hello.boot_id) == 16
    sane = sane and max(hello.epoch, hello.head, hello.generation) < SEQ_MAX
    sane = sane and hello.oldest_kept <= hello.head + 1
    if not sane or (hello.head and not hello.epoch):
        return fault(pb.MALFORMED, "the hello does not say a state a gateway can be in", "")
    return None


def _is_late(cursor: Cursor, hello: pb.Hello) -> bool:
    """A hello that a newer one of the same boot overtook, in a connection that was half open."""
    is_known = hello.mono_us > 0 and cursor.boots[-1:] == (hello.boot_id,)
    return is_known and hello.mono_us <= cursor.heard_us and cursor.late < LATE_MAX


def _newest_of_both(cursor: Cursor, past: Closed, hello: pb.Hello) -> tuple[int, int]:
    """The newest (epoch, seq) up to the gateway's head that this journal, too, has stored.

    Journal and card are in the same order, so all that is before it is stored as well.
    """
    if past.stored:
        return past.epoch, min(past.stored, hello.head)
    known = ((one.epoch, one.stored) for one in cursor.closed)
    before = [at for at in (*known, (cursor.epoch, cursor.stored)) if at[0] < hello.epoch]
    return max(before, default=(0, 0))


def _meet(cursor: Cursor, boot_id: bytes) -> Cursor:
    """Note the boot id; one that another had replaced and that returns is a strike."""
    if cursor.boots and cursor.boots[-1] == boot_id:
        calm = min(cursor.calm + 1, CALM_HELLOS)
        return replace(cursor, calm=calm, strikes=0 if calm == CALM_HELLOS else cursor.strikes)
    boots = (*(known for known in cursor.boots if known != boot_id), boot_id)[-BOOTS_MAX:]
    strikes = min(cursor.strikes + (boot_id in cursor.boots), CLONE_STRIKES_MAX)
    return replace(cursor, boots=boots, strikes=strikes, calm=0)


def _standing(cursor: Cursor, epoch: int) -> Closed:
    """What is stored of an epoch, all zero for one that is not known or was pardoned."""
    if epoch <= cursor.pardon:
        return Closed(epoch, 0, GENESIS_HASH, 0)
    if epoch == cursor.epoch:
        return Closed(epoch, cursor.stored, cursor.stored_hash, cursor.archived)
    known = (past for past in cursor.closed if past.epoch == epoch)
    return next(known, Closed(epoch, 0, GENESIS_HASH, 0))


def _is_forked(past: Closed, held: Held, hello: pb.Hello) -> bool:
    """True when the gateway's head is within what is stored and is another block."""
    if hello.head > past.stored or past.stored == 0:
        return False  # what is above is judged by its prev_hash when it comes
    if hello.head == past.stored:
        return hello.head_hash != past.stored_hash
    if hello.head == 0:
        return False
    return held.hash_at(hello.epoch, hello.head) not in (None, hello.head_hash)


def _stepped_back(cursor: Cursor, past: Closed, hello: pb.Hello) -> Alarm | None:
    """Whether the gateway lost memory: its blocks or series are behind."""
    if past.stored > hello.head:
        return Alarm.REWIND
    if hello.epoch != cursor.epoch:
        return None
    fewer = hello.series_high < cursor.series_known
    other = hello.series_high == cursor.series_known and hello.series_root != cursor.series_root
    return Alarm.REWIND if fewer or other or cursor.torn == cursor.epoch else None


def _grant(cursor: Cursor, held: Held, past: Closed, epoch: int, above: int) -> Decision:
    """End the present epoch and open the next; ``past`` is what the gateway had.

    The gateway keeps its blocks up to (``epoch``, ``above``), the chunks of later ones are named.
    """
    ended = Closed(cursor.epoch, cursor.stored, cursor.stored_hash, cursor.archived)
    epochs = {one.epoch: one for one in (*cursor.closed, ended) if one.stored or one.deleted}
    if past.deleted > past.stored:
        epochs[past.epoch] = replace(epochs.get(past.epoch, past), deleted=past.deleted)
    closed = tuple(epochs[no] for no in sorted(epochs))[-CLOSED_EPOCHS_MAX:]
    opened = replace(
        cursor,
        epoch=max(cursor.epoch, past.epoch) + 1,
        stored=0,
        stored_hash=GENESIS_HASH,
        archived=0,
        series_known=0,
        series_root=EMPTY_ROOT,
        series_bytes=0,
        granted=cursor.session,
        closed=closed,
    )
    return _granted(opened, held, past, epoch, above)


def _granted(cursor: Cursor, held: Held, past: Closed, epoch: int, above: int) -> Decision:
    runs = coalesce(held.chunks_above(epoch, above))
    if len(runs) > STORED_CHUNKS_MAX:
        return fork(cursor, above)  # too torn to be named in one message: an operator decides
    grant = pb.EpochGrant(
        session=cursor.session,
        epoch=cursor.epoch,
        previous_epoch=past.epoch,
        previous_stored=past.stored if epoch == past.epoch else above,
        stored_epoch=epoch,
        series_known=cursor.series_known,
        stored_chunks=_on_the_wire(runs),
    )
    return Decision(cursor, (pb.CloudMessage(epoch_grant=grant),))


def _on_the_wire(runs: Sequence[ChunkRun]) -> list[pb.ChunkRun]:
    return [pb.ChunkRun(prefix=run.prefix, first=run.first, count=run.count) for run in runs]
