"""An agent that is nothing but its control socket: asked by commands, it answers from lists."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.config import load
from edge.control import Control


@contextmanager
def agent(home: Path, answers: dict[str, Any]) -> Iterator[None]:
    """The control socket of an agent that answers from lists, the last answer for ever."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    def answering(told: list[Any]) -> Any:
        async def answer() -> object:
            return told.pop(0) if len(told) > 1 else told[0]

        return answer

    async def serve() -> None:
        asked = {name: answering(list(told)) for name, told in answers.items()}
        async with Control(load(home).control_path, asked):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
