"""Pure: how many messages a broker may have in flight to us, from what was [MQTT 5, 3.1.2.11.3].

What is in flight is rate × time until the commit is acknowledged (Little's law), so its peak tells
what the two need together. Three times that leaves room for a rate that rises and a card that
stalls; what came near the window was limited by it, and is given all there is. MQTT fixes the
window for a connection, so the next one gets it.
"""

from dataclasses import dataclass
from typing import Final

SPARE: Final = 3
WINDOW_MIN: Final = 2000
"""40,000 messages/s at 50 ms a commit: no quiet night may cap the morning."""
LIMITED: Final = 0.8
"""From this part of the window on it may be the window that kept the peak down."""


def receive_maximum(peak: int, window: int, most: int) -> int:
    """The next connection's window: of ``most`` at most, and of `WINDOW_MIN` at least where it may.

    ``peak`` messages of ``window`` were in flight at once; ``window`` 0: none was given yet.
    """
    if not window or peak >= LIMITED * window:
        return most
    return min(most, max(SPARE * peak, WINDOW_MIN))


@dataclass(slots=True)
class ReceiveWindow:
    """Counts what is in flight on one connection after the other; at most ``most`` may be."""

    most: int
    window: int = 0
    _in_flight: int = 0
    _peak: int = 0

    def begin(self) -> int:
        """The window of a connection that is about to be made; what was before counts by half."""
        self.window = receive_maximum(self._peak, self.window, self.most)
        self._in_flight, self._peak = 0, self._peak // 2
        return self.window

    def came(self, count: int) -> None:
        """So many messages came on this connection."""
        self._in_flight += count
        self._peak = max(self._peak, self._in_flight)

    def acknowledged(self, count: int) -> None:
        """So many of this connection's messages were acknowledged."""
        self._in_flight = max(self._in_flight - count, 0)
