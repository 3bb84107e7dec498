"""Who takes blocks in goes first: decoding steps aside while the loop is late.

Blocks are taken in by one asyncio loop; the live view and consolidation decode the same blocks in
threads of the same interpreter. When a thousand gateways come back at once, every hello and every
acknowledgement would wait for its turn among them. Decoding can wait: a moment at every block, for
as long as the loop is late, and never for ever.
"""

import asyncio
import threading
from typing import Final

BEAT_S: Final = 0.02
LATE_S: Final = 0.02
"""The loop is late when it wakes so long after it should; idle it is late by less than 2 ms."""
ASIDE_S: Final = 0.05
"""How long one step aside may take: twenty blocks a second go on however late the loop is."""


class Courtesy:
    """Tells the threads that decode whether the loop is late.

    Args:
        aside_s: the longest wait of one `step_aside`.
    """

    def __init__(self, aside_s: float = ASIDE_S) -> None:
        self._aside_s = aside_s
        self._in_time = threading.Event()
        self._in_time.set()

    async def watch(self) -> None:
        """Measure the running loop for ever."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                due = loop.time() + BEAT_S
                await asyncio.sleep(BEAT_S)
                self.heard(loop.time() - due)
        finally:
            self._in_time.set()

    def heard(self, late_s: float) -> None:
        """The loop came so much later than it should, in seconds."""
        if late_s > LATE_S:
            self._in_time.clear()
        else:
            self._in_time.set()

    def step_aside(self) -> None:
        """Return at once while the loop is in time, else when it is again, or after ``aside_s``."""
        self._in_time.wait(self._aside_s)
