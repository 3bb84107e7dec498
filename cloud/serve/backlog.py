"""How fast the buffers of gateways empty or fill, from what they said one after the other."""

import threading
from collections import deque
from typing import Final, Protocol

from protos import sync_pb2 as pb

WINDOW_US: Final = 3 * 60 * 1_000_000
"""How far back a pace looks. A gateway tells its backlog every 15 s: some twelve of its words."""
SAMPLES_MAX: Final = 32


class Told(Protocol):
    """What a gateway said of itself (`cloud.ingest.service.Presence`)."""

    @property
    def gateway(self) -> str:
        """Whose."""

    @property
    def session(self) -> int:
        """The live session, 0 when there is none."""

    @property
    def since_us(self) -> int:
        """When it was heard, by the cloud's clock."""

    @property
    def status(self) -> pb.Status:
        """What it said."""


class Backlogs:
    """The backlogs of all gateways over the last minutes; any thread may call.

    By the cloud's clock: that of a gateway may be put right meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[str, deque[tuple[int, int]]] = {}

    def note(self, one: Told) -> None:
        """A gateway said how much waits; one that left begins anew when it is back."""
        with self._lock:
            if not one.session:
                self._told.pop(one.gateway, None)
                return
            samples = self._told.setdefault(one.gateway, deque(maxlen=SAMPLES_MAX))
            if samples and one.since_us <= samples[-1][0]:
                samples.clear()  # the cloud's own clock was put back
            samples.append((one.since_us, one.status.backlog_rows))
            while samples[0][0] < one.since_us - WINDOW_US and len(samples) > 2:
                samples.popleft()

    def pace(self, gateway: str) -> float | None:
        """Readings a second by which its backlog grows; below 0 it shrinks. None: not known yet."""
        with self._lock:
            samples = self._told.get(gateway)
            if samples is None or len(samples) < 2:
                return None
            (since, before), (until, after) = samples[0], samples[-1]
        return (after - before) / ((until - since) / 1e6)


def seconds_left(rows: int | None, pace: float | None) -> int | None:
    """Until the buffer is empty at this pace; None where nobody knows, or it does not empty."""
    if rows == 0:
        return 0
    if rows is None or pace is None or pace >= 0:
        return None
    return round(rows / -pace)
