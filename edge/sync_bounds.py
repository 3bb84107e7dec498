"""Pure: what a session believes of a cloud: numbers a buffer can hold, words that can be shown.

The cloud is trusted with what is delivered, not with the gateway's life: a number beyond every
column would end the store, and an endless pause the delivery.
"""

from typing import Final

from protos import sync_pb2 as pb
from protos.codec.header import CHUNK_PREFIX_BYTES
from protos.limits import CHUNK_COUNTER_MAX, SEQ_MAX

FORK_HINT: Final = (
    "two machines share one identity, or a disk was altered: give the copy a name of its own "
    "(tidegate-edge enroll --rename TOKEN), or accept both (tidegate-cloud gateways pardon NAME)"
)
RETRY_MS_MAX: Final = 3_600_000
"""The longest pause that a cloud may ask for: it may be mended by then."""
WORDS_MAX: Final = 1000
"""Characters of a message or hint that are kept."""


def refusal(message: pb.CloudMessage) -> tuple[str, str, pb.Code, int] | None:
    """Why a message ends the session: message, hint, code and pause in ms; None when it does not.

    It is the cloud's Fault, each part within its bound, or says what no buffer could hold.
    """
    if message.WhichOneof("body") == "fault":
        return _words(message.fault)
    absurd = _absurdity(message)
    hint = "its software or memory is at fault: report it"
    return (absurd, hint, pb.CODE_UNSPECIFIED, 0) if absurd else None


def _absurdity(message: pb.CloudMessage) -> str:
    match message.WhichOneof("body"):
        case "resume":
            resume = message.resume
            most = max(resume.session, resume.generation, resume.epoch)
        case "epoch_grant":
            grant = message.epoch_grant
            # One below the limit: the epoch after it must still have a number.
            most = max(grant.session, grant.epoch + 1, grant.stored_epoch, grant.previous_stored)
            if any(map(_is_absurd_run, grant.stored_chunks)):
                return "the cloud names chunks that cannot be"
        case _:
            return ""
    return f"the cloud says {most}, which no buffer can hold" if most > SEQ_MAX else ""


def _words(fault: pb.Fault) -> tuple[str, str, pb.Code, int]:
    retry_ms = min(fault.retry_after_ms, RETRY_MS_MAX)
    message = fault.message or "the cloud ended the session without a reason"
    return message[:WORDS_MAX], fault.hint[:WORDS_MAX], fault.code, retry_ms


def _is_absurd_run(run: pb.ChunkRun) -> bool:
    is_named = len(run.prefix) == CHUNK_PREFIX_BYTES
    return not is_named or run.first + run.count > CHUNK_COUNTER_MAX + 1
