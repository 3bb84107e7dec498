"""Garbage: looked for in what is new, and seldom in all that lives.

A process with a thousand streams stands still for a fifth of a second each time that Python's
collector looks at all of it (decision 0105).
"""

import gc
from collections.abc import Awaitable, Callable
from typing import Final

YOUNG_MAX: Final = 10_000
"""Objects made, and not yet let go, between two looks of the garbage collector."""
FREEZE_S: Final = 10.0
"""Then what is older is not looked at any more, until all is."""
LOOKS: Final = 360
"""Times FREEZE_S from one look at all that lives to the next: an hour."""


def look_at_new() -> None:
    """Have the garbage collector look no more at what lives now."""
    gc.set_threshold(YOUNG_MAX)
    gc.collect(1)
    gc.freeze()


async def look_seldom(
    sleep: Callable[[float], Awaitable[None]], freeze_s: float = FREEZE_S, looks: int = LOOKS
) -> None:
    """Have it look at what is new, and once in ``looks`` times ``freeze_s`` at all; for ever."""
    while True:
        for _ in range(looks):
            look_at_new()
            await sleep(freeze_s)
        gc.unfreeze()
        gc.collect()
