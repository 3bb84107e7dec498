"""A TCP line that can fail: cut, stalled, half-open, slow or truncated, while it is in use."""

import asyncio
import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Protocol


class Trouble(Enum):
    CUT = "cut"
    STALL = "stall"
    HALF_OPEN = "half-open"
    LATENCY = "latency"
    TRUNCATION = "truncation"


class Tap(Protocol):
    """Hears what one connection carries, as it comes to the line, whatever becomes of it there."""

    def up(self, data: bytes) -> None: ...

    def down(self, data: bytes) -> None: ...


class Loop:
    """An asyncio loop in a thread of its own, for lines and publishers."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., object], *args: object) -> None:
        self.loop.call_soon_threadsafe(function, *args)

    def close(self) -> None:
        """Cancel what runs on it, and end its thread."""
        asyncio.run_coroutine_threadsafe(self._cancel(), self.loop).result(10)
        self.call(self.loop.stop)
        self._thread.join(10)

    async def _cancel(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class Line:
    """A relay from a free port of loopback to ``to_port``, whatever listens there at the time."""

    def __init__(
        self, loop: Loop, to_port: int, new_tap: Callable[[], Tap] | None = None, seed: int = 0
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._to_port = to_port
        self._loop = loop
        self._new_tap = new_tap
        self._chance = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._trouble: Trouble | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._deaf_up = False
        starting = asyncio.start_server(self._accept, sock=self._listener)
        asyncio.run_coroutine_threadsafe(starting, loop.loop).result(10)

    def fail(self, trouble: Trouble) -> None:
        """Begin a trouble; `heal` ends it. A cut is over at once, but new connections pass."""
        self._loop.call(self._fail, trouble)

    def heal(self) -> None:
        """End the trouble; what it made useless is aborted, as a reset from a far host does."""
        self._loop.call(self._heal)

    def _fail(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._deaf_up = self._chance.random() < 0.5
        if trouble is Trouble.STALL:
            self._flowing.clear()
        if trouble is Trouble.CUT:
            self._abort()

    def _heal(self) -> None:
        if self._trouble is Trouble.HALF_OPEN:
            self._abort()
        self._trouble = None
        self._flowing.set()

    def _abort(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # asyncio's own callback takes it for an error
            await self._relay(reader, writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        tap = self._new_tap() if self._new_tap is not None else None
        ends = {writer, far_writer}
        self._writers |= ends
        up = self._pump(reader, far_writer, tap.up if tap else None, is_up=True)
        down = self._pump(far_reader, writer, tap.down if tap else None, is_up=False)
        tasks = [asyncio.create_task(up), asyncio.create_task(down)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            with suppress(OSError):
                end.close()
        await asyncio.gather(*tasks)
        self._writers -= ends

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tap: Callable[[bytes], None] | None,
        *,
        is_up: bool,
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(65536):
                if tap is not None:
                    tap(data)
                if not await self._pass(data, writer, is_up):
                    break
        writer.close()

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, is_up: bool) -> bool:
        await self._flowing.wait()
        match self._trouble:
            case Trouble.HALF_OPEN if is_up == self._deaf_up:
                return True
            case Trouble.LATENCY:
                await asyncio.sleep(self._chance.uniform(0.02, 0.3))
            case Trouble.TRUNCATION:
                writer.write(data[: self._chance.randrange(len(data))])
                await writer.drain()
                writer.close()
                return False
        writer.write(data)
        await writer.drain()
        return True
