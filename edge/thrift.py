"""Pure: what of the buffer may be sent now, on a line that is paid by the byte.

Readings wait for each other, for a time or a number of bytes; then all that waits is sent, and the
next wait begins. Anomalies never wait. A limit of a day stops the rest at nine tenths, so that
there is something left for anomalies, and everything at the limit: it waits in the buffer.
"""

from typing import Final

from edge.sync_effects import Allowed

KEPT_BACK: Final = 10
"""One part in so many of a day's limit is for anomalies alone, and for keeping the line."""


class Thrift:
    """The rules of one uplink, over all its sessions; times are seconds of a monotonic clock.

    Args:
        linger_s: longest that readings wait for more.
        batch_bytes: so many bytes that wait are sent sooner.
        limit_bytes: what the line may carry in a day, both ways; 0: no limit.
    """

    def __init__(self, linger_s: float, batch_bytes: int, limit_bytes: int) -> None:
        self._linger_s, self._batch_bytes = linger_s, batch_bytes
        self._limit = limit_bytes
        self._since_s: float | None = None
        self._is_open = False
        self.by_limit = Allowed.ALL

    def look(self, now_s: float, waiting_bytes: int, spent_bytes: int) -> Allowed:
        """What may be sent, while so much waits and so much was spent in the last day."""
        self.by_limit = self._within(spent_bytes)
        if waiting_bytes and self._since_s is None:
            self._since_s = now_s
        waits_s = 0.0 if self._since_s is None else now_s - self._since_s
        if waiting_bytes and (waits_s >= self._linger_s or waiting_bytes >= self._batch_bytes):
            self._is_open = True
        if self.by_limit is not Allowed.ALL:
            return self.by_limit
        return Allowed.ALL if self._is_open else Allowed.URGENT

    def hurry(self) -> None:
        """Send what waits now, as far as the limit lets: somebody wants to stop."""
        self._is_open = True

    def sent(self) -> None:
        """All that waited is sealed: what comes now waits anew."""
        self._is_open, self._since_s = False, None

    def _within(self, spent_bytes: int) -> Allowed:
        if not self._limit or spent_bytes < self._limit - self._limit // KEPT_BACK:
            return Allowed.ALL
        return Allowed.URGENT if spent_bytes < self._limit else Allowed.NOTHING
