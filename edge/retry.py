"""Rejects tried again: those that the conventions and rules of now can read become readings.

For after a rule was written or a version learned a convention. A reject is read again as it came,
at its time of arrival, and leaves the table once it is committed; a crash in between leaves it
there, so that it may count twice but is never lost. What was cut when it was kept stays.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from edge.chunk import Reject
from edge.clock import Clock
from edge.collect import Collect
from edge.ingest import Inbox, Ingest
from edge.message import Message, Messages
from edge.payload.said import NotData, Unreadable
from edge.recognition import Recognition
from edge.store.store import Store

TRIED_MAX: Final = 1000
COMMIT_S: Final = 3.0
_POLL_S: Final = 0.02


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """How a retry ended: ``read`` of ``tried`` are readings now; ``cut`` were not kept whole."""

    tried: int
    read: int
    cut: int
    left: int


class Kept(Protocol):
    """What a retry needs of the agent's stages."""

    store: Store
    inbox: Inbox
    ingest: Ingest
    clock: Clock


class Retry:
    """Tries the rejects of one agent again.

    Args:
        kept: the agent's stages.
        collect: commits what is read.
        recognition: makes one that has learned nothing yet.
    """

    def __init__(
        self, kept: Kept, collect: Collect, recognition: Callable[[], Recognition]
    ) -> None:
        self._kept = kept
        self._collect = collect
        self._recognition = recognition

    async def told(self) -> Retried:
        """Try them all once; the answer to `rejects retry`.

        Raises:
            StorageError: the buffer failed.
        """
        store = self._kept.store
        rejects = await asyncio.wrap_future(store.rejects_kept(TRIED_MAX))
        recognition = self._recognition()
        whole = [(no, one) for no, one in rejects if not _is_cut(recognition, one)]
        fit = [(no, one) for no, one in reversed(whole) if _is_readable(recognition, one)]
        read = 0
        if fit and self._kept.inbox.has_room:
            self._kept.inbox.extend(Messages.of([self._message(one) for _, one in fit]))
            if await self._committed():
                await asyncio.wrap_future(store.forget_rejects([no for no, _ in fit]))
                read = len(fit)
        cut = len(rejects) - len(whole)
        return Retried(tried=len(rejects), read=read, cut=cut, left=len(rejects) - read)

    def _message(self, reject: Reject) -> Message:
        return Message(
            reject.topic,
            reject.payload,
            qos=0,
            retain=False,
            dup=False,
            arrival_us=reject.arrival_us,
            quality=int(self._kept.clock.now().quality),
            session=self._kept.ingest.state.session_no,
            packet_id=0,
        )

    async def _committed(self) -> bool:
        """Whether everything that waited is safe; False when that took too long."""
        try:
            async with asyncio.timeout(COMMIT_S):
                while len(self._kept.inbox) or self._collect.under_way:
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            return False
        return True


def _is_cut(recognition: Recognition, reject: Reject) -> bool:
    bytes_max = recognition.limits.reject_bytes_max
    return len(reject.payload) >= bytes_max or len(reject.topic) >= bytes_max


def _is_readable(recognition: Recognition, reject: Reject) -> bool:
    try:
        told = recognition.read(reject.topic, reject.payload, reject.arrival_us)
    except (NotData, Unreadable):
        return False
    return not any(said.faults for said in told)
