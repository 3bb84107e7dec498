"""What an agent does from time to time beside its readings: end episodes, give back memory."""

import asyncio
from typing import Final

from edge import memory
from edge.collect import Collect

# By then the first connections are made, and what only making them needed can go.
SETTLED_S: Final = 5.0
# How often pages of code that may not be used again are let go: while the stages start each of them
# touches some megabytes once, later an attempt to reach the cloud does. To let go and fetch again
# what is used costs up to 40 ms of a busy agent.
CODE_KEPT_AT_START_S: Final = 2.5
CODE_KEPT_S: Final = 30.0
# How late an episode may end by silence, which is a matter of hours.
LOOK_AGAIN_S: Final = 30.0


async def look_again(collect: Collect) -> None:
    """Let episodes end of which nothing is heard any more, though nothing else comes either."""
    while True:
        await asyncio.sleep(LOOK_AGAIN_S)
        collect.look_again()


async def stay_small() -> None:
    """Give back memory from time to time; on a thread, for a look at all mappings takes a while."""
    mappings = await asyncio.to_thread(memory.unwritten)
    await asyncio.to_thread(memory.cut, mappings)
    for _ in range(round(SETTLED_S / CODE_KEPT_AT_START_S)):
        await asyncio.sleep(CODE_KEPT_AT_START_S)
        await asyncio.to_thread(memory.let_go, mappings)
    mappings = await asyncio.to_thread(memory.settle)
    while True:
        await asyncio.sleep(CODE_KEPT_S)
        await asyncio.to_thread(memory.let_go, mappings)
