"""One attempt's end: whatever the other side does, a connection lives no longer than it may.

A timeout of a socket begins anew with each byte; who sends one a second would hold a channel for
ever.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator


class Deadline:
    """Cuts the connections it is given when its time is over."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []
        self._lock = threading.Lock()
        self.is_over = False

    def hold(self, connection: socket.socket) -> None:
        """Cut this connection too; TLS around it does not matter."""
        with self._lock:
            self._held.append(socket.socket(fileno=_duplicate(connection)))
            over = self.is_over
        if over:
            self.cut()

    def cut(self) -> None:
        """End all connections: who waits for one of them gets its end."""
        with self._lock:
            self.is_over = True
            for one in self._held:
                with contextlib.suppress(OSError):  # it had ended by itself
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hold none any more."""
        with self._lock:
            for one in self._held:
                one.close()
            self._held.clear()


def _duplicate(connection: socket.socket) -> int:
    return os.dup(connection.fileno())


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """A deadline for what is inside."""
    made = Deadline()
    timer = threading.Timer(seconds, made.cut)
    timer.daemon = True
    timer.start()
    try:
        yield made
    finally:
        timer.cancel()
        made.close()
