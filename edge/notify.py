"""What a service tells systemd of itself: sd_notify(3), one datagram a time, and nothing else.

Without systemd (no NOTIFY_SOCKET) every word goes nowhere. The variables are taken out of the
environment, so that no child process speaks in the agent's name.
"""

import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Final, Self

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"
STATUS_CHARS_MAX: Final = 300

log = logging.getLogger(__name__)


class Notifier:
    """Tells systemd; ``watchdog_s`` is within how long it wants to be told `alive`, 0: never."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = address
        self.watchdog_s = watchdog_s if address else 0.0
        self._status = ""

    @classmethod
    def taken_from(cls, environment: MutableMapping[str, str]) -> Self:
        """The one that the environment names, taken out of it."""
        address, period_us, pid = (
            environment.pop(name, "") for name in (SOCKET, WATCHDOG, WATCHDOG_PID)
        )
        is_ours = pid in ("", str(os.getpid()))
        watchdog_s = int(period_us) / 1e6 if is_ours and period_us.isdecimal() else 0.0
        return cls(address, watchdog_s)

    def ready(self) -> None:
        """The service does what it is for."""
        self._tell("READY=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """It is ending in order."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """What `systemctl status` shows; told when it changes."""
        if text != self._status:
            self._status = text
            self._tell(f"STATUS={' '.join(text.split())[:STATUS_CHARS_MAX]}")

    def _tell(self, line: str) -> None:
        """Send; who cannot be told is not waited for, and a watchdog that hears nothing acts."""
        if not self._address:
            return
        to = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(line.encode(), to)
        except OSError as error:
            log.debug("systemd was not told %s: %s", line, error)
