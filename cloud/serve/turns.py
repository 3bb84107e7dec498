"""Whose turn it is: one request is worked on at a time, and none that takes long holds up others.

Threads of one interpreter that all have work take it from each other again and again: four at once
make a question cost nearly twice the CPU (decision 0091). So they are worked on TURNS at a time, in
the order they came; who is not done after TURN_S goes on beside the next.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

THREADS: Final = 8
"""Requests that are worked on at once when all of them take long; more wait."""
TURNS: Final = 1
TURN_S: Final = 0.1

_Answer = TypeVar("_Answer")


class Turns:
    """Runs work in threads; on one loop."""

    def __init__(self, turns: int = TURNS, threads: int = THREADS, turn_s: float = TURN_S) -> None:
        self._turns = CapacityLimiter(turns)
        self._threads = CapacityLimiter(threads)
        self._turn_s = turn_s
        self._held: set[object] = set()

    async def run(self, work: Callable[[], _Answer]) -> _Answer:
        """What ``work`` returns, or raises, from a thread when it is its turn."""
        turn = object()
        await self._turns.acquire_on_behalf_of(turn)
        self._held.add(turn)
        over = asyncio.get_running_loop().call_later(self._turn_s, self._end, turn)
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        finally:
            over.cancel()
            self._end(turn)

    def _end(self, turn: object) -> None:
        if turn in self._held:
            self._held.remove(turn)
            self._turns.release_on_behalf_of(turn)
