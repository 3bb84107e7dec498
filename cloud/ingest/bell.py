"""Wakes streams when their calls are decided: one wake-up of the loop for all of a commit."""

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from functools import partial
from typing import Any


class Bell:
    """Of one loop, on which it is made; `ring_after` on that loop alone."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._due: list[asyncio.Event] = []

    def ring_after(self, future: "Future[Any]", event: asyncio.Event) -> None:
        """Set ``event`` on the loop once the future is done, whoever does it on whatever thread."""
        future.add_done_callback(partial(self._ring, event))

    def _ring(self, event: asyncio.Event, _: "Future[Any]") -> None:
        with self._lock:
            self._due.append(event)
            is_first = len(self._due) == 1
        if is_first:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._open)

    def _open(self) -> None:
        with self._lock:
            due, self._due = self._due, []
        for event in due:
            event.set()
