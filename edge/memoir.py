"""What devices told of themselves, on its way into the buffer: kept soon, and offered again.

Discovery and births are rare, but come in hundreds when a connection is made: they are gathered for
a moment, the newest of each topic. A buffer that is full or busy is asked again later.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, Protocol

from edge.store.lessons import Lesson
from edge.store.limits import BufferFull, StoreBusy

log = logging.getLogger(__name__)

GATHER_S: Final = 1.0
AGAIN_S: Final = 30.0
LESSONS_MAX: Final = 4096
BYTES_MAX: Final = 2 << 20
"""Of what waits for the buffer; beyond it the oldest is left out, until it is told again."""


class Keeper(Protocol):
    """What the memoir needs of the buffer."""

    def keep_lessons(self, lessons: Sequence[Lesson]) -> "Future[None]":
        """Resolves once they are on the disk; BufferFull and StoreBusy: offer them again."""


class Memoir:
    """Lessons that wait; everything is to be called on its loop.

    Args:
        store: the buffer.
    """

    def __init__(self, store: Keeper) -> None:
        self._store = store
        self._waiting: dict[str, bytes] = {}
        self._size = 0
        self._wake = asyncio.Event()

    def add(self, lessons: Sequence[Lesson]) -> None:
        """Take what was taught; the newest of each topic counts."""
        for topic, message in lessons:
            self._size -= len(self._waiting.pop(topic, b""))
            self._waiting[topic] = message
            self._size += len(message)
        while len(self._waiting) > LESSONS_MAX or self._size > BYTES_MAX:
            topic = next(iter(self._waiting))
            self._size -= len(self._waiting.pop(topic))
        self._wake.set()

    async def run(self) -> None:
        """Keep what is taught until cancelled; what waits then is kept at once."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(GATHER_S)
                self._wake.clear()
                if not await self._keep():
                    await asyncio.sleep(AGAIN_S)
                    self._wake.set()
        finally:
            if self._waiting:
                with suppress(BufferFull, StoreBusy):
                    self._store.keep_lessons(tuple(self._waiting.items()))

    async def _keep(self) -> bool:
        lessons, self._waiting, self._size = self._waiting, {}, 0
        try:
            await asyncio.wrap_future(self._store.keep_lessons(tuple(lessons.items())))
        except (BufferFull, StoreBusy) as error:
            log.info("%s", error)
            newer, self._waiting = self._waiting, lessons
            self._size = sum(map(len, lessons.values()))
            self.add(tuple(newer.items()))
            return False
        return True
