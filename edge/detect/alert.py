"""Tell of anomalies on the local broker at once, with the cloud away as well as with it.

Alerts go to `<prefix>/<gateway>/<device>/<metric>` as JSON at QoS 1. They are a courtesy to
what listens on the spot; the record that is never lost is the SCORES row in the buffer. So the
queue is bounded, and what finds it full is counted, not waited for.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from edge import memory
from edge.errors import TidegateError

if TYPE_CHECKING:
    import aiomqtt

log = logging.getLogger(__name__)

WAITING_MAX: Final = 1024
RECONNECT_S: Final = 3.0
RECONNECT_S_MAX: Final = 60.0
PUBLISH_TIMEOUT_S: Final = 10.0


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """One anomaly as it is published; `ts` is event time in µs UTC."""

    gateway: str
    device: str
    metric: str
    ts: int
    value: float
    score: float
    threshold: float
    model: str


def topic_of(prefix: str, anomaly: Anomaly) -> str:
    """Topic of an alert; wildcards and NUL in names would make it no topic."""
    path = f"{prefix}/{anomaly.gateway}/{anomaly.device}/{anomaly.metric}"
    return path.translate({ord("+"): "_", ord("#"): "_", 0: "_"})


@dataclass(slots=True)
class Told:
    """Counts of alerts."""

    sent: int = 0
    dropped: int = 0


class Alerts:
    """A bounded queue of alerts and the task that publishes them.

    Args:
        connect: makes a fresh MQTT client for each connection.
        prefix: first part of every topic.
    """

    def __init__(self, connect: "Callable[[], aiomqtt.Client]", prefix: str):
        self.told = Told()
        self._connect = connect
        self._prefix = prefix
        self._waiting: deque[Anomaly] = deque()
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Alerts that are not published yet."""
        return len(self._waiting)

    def add(self, anomalies: list[Anomaly]) -> None:
        """Queue alerts; call on the event loop. When full the oldest give way and are counted."""
        self._waiting.extend(anomalies)
        while len(self._waiting) > WAITING_MAX:
            self._waiting.popleft()
            self.told.dropped += 1
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled, reconnecting for as long as it takes.

        What keeps it from its broker is told once and tried again with growing pauses: alerts are a
        courtesy, and nothing of theirs may end the agent.
        """
        pause_s, told = RECONNECT_S, ""
        while True:
            try:
                await asyncio.to_thread(memory.load, "aiomqtt")
                import aiomqtt

                try:
                    async with self._connect() as client:
                        pause_s, told = RECONNECT_S, ""
                        while True:
                            await self._publish_next(client)
                except aiomqtt.MqttError as error:
                    told = _tell(error, told)
            except (OSError, TidegateError) as error:
                told = _tell(error, told)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RECONNECT_S_MAX)

    async def _publish_next(self, client: "aiomqtt.Client") -> None:
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        anomaly = self._waiting.popleft()
        topic, payload = topic_of(self._prefix, anomaly), msgspec.json.encode(anomaly)
        try:
            await client.publish(topic, payload, qos=1, timeout=PUBLISH_TIMEOUT_S)
        except BaseException:
            self._waiting.appendleft(anomaly)  # not told yet: first in line for the next connection
            raise
        self.told.sent += 1


def _tell(error: Exception, told: str) -> str:
    """Log what keeps it from the broker, unless it was told just now; returns what is told."""
    if str(error) != told:
        log.info("alerts wait for the broker: %s", error)
    return str(error)
