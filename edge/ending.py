"""End tasks for certain: a cancellation may be passed over, and is then said again.

`asyncio.wait_for` in Python 3.11 forgets a cancellation that comes in the moment in which what it
waits for is done (CPython issue 86296). An MQTT client waits by it for its connection and for each
publish; a task that had just got its answer went on for ever, and the agent with it.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

AGAIN_S: Final = 2.0
"""A task that is not done this long after it was cancelled is cancelled once more."""


async def cancelled(tasks: Iterable[asyncio.Task[Any]], again_s: float = AGAIN_S) -> None:
    """Cancel tasks until all are done; what they raise stays with them."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again_s)
