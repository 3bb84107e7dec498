"""This gateway as a Sparkplug B host application: its STATE, and the births that it asks for.

It begins when the first node is heard; a site without Sparkplug never sees it. A connection of its
own, with a clean session, carries a retained will at `spBv1.0/STATE/HOST_ID` that says offline;
once connected it says online with the same timestamp, and says it again if it sees itself offline.
Births are asked for at QoS 0. What waits is bounded: a request that is left out is made again when
the node speaks again.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from edge import memory
from edge.errors import TidegateError
from edge.payload.known import Publish

if TYPE_CHECKING:
    import aiomqtt

log = logging.getLogger(__name__)

WAITING_MAX: Final = 1024
RECONNECT_S: Final = 3.0
RECONNECT_S_MAX: Final = 60.0
PUBLISH_TIMEOUT_S: Final = 5.0


class State(msgspec.Struct, frozen=True):
    """What STATE says; ``timestamp`` is ms since 1970, that of the connection."""

    online: bool
    timestamp: int


class Connect(Protocol):
    """Makes a fresh MQTT client with a will: topic and payload, retained, at QoS 1."""

    def __call__(self, topic: str, payload: bytes) -> "aiomqtt.Client":
        """A client that is not connected yet."""


@dataclass(slots=True)
class Asked:
    """Counts of requests for births."""

    sent: int = 0
    dropped: int = 0


class SparkplugHost:
    """The host's task; everything but `run` is to be called on its loop.

    Args:
        connect: makes a client for each connection.
        host_id: the name in the topic of STATE.
        now_ms: a wall clock.
    """

    def __init__(
        self,
        connect: Connect,
        host_id: str,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.topic = f"spBv1.0/STATE/{host_id}"
        self.asked = Asked()
        self._connect = connect
        self._now_ms = now_ms
        self._waiting: deque[Publish] = deque()
        self._wake = asyncio.Event()

    def add(self, asked: Sequence[Publish]) -> None:
        """Take what is to be published; the first call, with nothing too, begins the host."""
        self._waiting.extend(asked)
        while len(self._waiting) > WAITING_MAX:
            self._waiting.popleft()
            self.asked.dropped += 1
        self._wake.set()

    async def run(self) -> None:
        """Be a host until cancelled, from the first node on; says offline at the end."""
        await self._wake.wait()
        pause_s, told = RECONNECT_S, ""
        while True:
            at_ms = self._now_ms()
            try:
                await asyncio.to_thread(memory.load, "aiomqtt")
                import aiomqtt

                try:
                    async with self._connect(self.topic, _encoded(False, at_ms)) as client:
                        pause_s, told = RECONNECT_S, ""
                        await self._serve(client, at_ms)
                except (aiomqtt.MqttError, ExceptionGroup) as error:
                    told = _tell(error, told)
            except (OSError, TidegateError) as error:
                told = _tell(error, told)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RECONNECT_S_MAX)

    async def _serve(self, client: "aiomqtt.Client", at_ms: int) -> None:
        await client.subscribe(self.topic, qos=1)
        await self._say(client, True, at_ms)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._ask(client), name="ask for births")
                tasks.create_task(self._stay_online(client, at_ms), name="stay online")
        except asyncio.CancelledError:
            await self._say(client, False, at_ms)
            raise

    async def _say(self, client: "aiomqtt.Client", online: bool, at_ms: int) -> None:
        payload = _encoded(online, at_ms)
        await client.publish(self.topic, payload, 1, retain=True, timeout=PUBLISH_TIMEOUT_S)

    async def _ask(self, client: "aiomqtt.Client") -> None:
        while True:
            while self._waiting:
                one = self._waiting[0]
                await client.publish(
                    one.topic, one.payload, one.qos, retain=one.retain, timeout=PUBLISH_TIMEOUT_S
                )
                self._waiting.popleft()
                self.asked.sent += 1
            self._wake.clear()
            await self._wake.wait()

    async def _stay_online(self, client: "aiomqtt.Client", at_ms: int) -> None:
        """Say online again when somebody else, or an old will of ours, said we are not."""
        async for message in client.messages:
            try:
                state = msgspec.json.decode(bytes(message.payload or b""), type=State)
            except (msgspec.DecodeError, TypeError, ValueError):
                state = State(False, 0)
            if not state.online:
                await self._say(client, True, at_ms)


def _encoded(online: bool, at_ms: int) -> bytes:
    return msgspec.json.encode(State(online, at_ms))


def _tell(error: Exception, told: str) -> str:
    """Log what keeps it from the broker, unless it was told just now; returns what is told."""
    if str(error) != told:
        log.info("the Sparkplug host waits for the broker: %s", error)
    return str(error)
