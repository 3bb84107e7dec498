"""Pure: how a session begins: the hello, and what of the cloud's Resume a gateway cannot accept."""

from collections.abc import Sequence

from edge.sync_bounds import FORK_HINT
from edge.sync_effects import BufferState
from protos import sync_pb2 as pb
from protos.block import Block
from protos.limits import PROTOCOL_MAX, PROTOCOL_MIN

Objection = tuple[str, str, pb.Code]
"""Why a session ends: message, hint, code."""


def hello_of(
    gateway: str,
    boot_id: bytes,
    agent_version: str,
    state: BufferState,
    status: pb.Status,
    mono_us: int,
) -> pb.Hello:
    """What a gateway says of itself and of its buffer; ``mono_us`` is the time since boot."""
    return pb.Hello(
        protocol_min=PROTOCOL_MIN,
        protocol_max=PROTOCOL_MAX,
        gateway=gateway,
        epoch=state.epoch,
        head=state.head,
        head_hash=state.head_hash,
        oldest_kept=state.oldest_kept,
        boot_id=boot_id,
        agent_version=agent_version,
        status=status,
        mono_us=mono_us,
        series_high=state.series_high,
        series_root=state.series_root,
        generation=state.generation,
    )


def objection(resume: pb.Resume, state: BufferState) -> Objection | None:
    """What is wrong with a Resume by itself; None when nothing is."""
    if resume.epoch != state.epoch:
        told = "the cloud resumed what was not asked"
        return told, "upgrade the older side", pb.CODE_UNSPECIFIED
    if not PROTOCOL_MIN <= resume.protocol <= PROTOCOL_MAX:
        told = f"the cloud chose protocol {resume.protocol}"
        return told, "upgrade the agent", pb.CODE_UNSPECIFIED
    if resume.stored == state.head and resume.stored_hash != state.head_hash:
        return _fork(resume)
    return None


def disproof(resume: pb.Resume, blocks: Sequence[Block]) -> Objection | None:
    """What our own block ``resume.stored``, the first if it is still here, says of a Resume."""
    if blocks and blocks[0].header.seq == resume.stored and blocks[0].hash != resume.stored_hash:
        return _fork(resume)
    return None


def _fork(resume: pb.Resume) -> Objection:
    told = f"the cloud holds another block {resume.stored} of epoch {resume.epoch}"
    return told, FORK_HINT, pb.FORK
