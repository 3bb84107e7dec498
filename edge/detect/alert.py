"""Tell of episodes on the local broker at once, with the cloud away as well as with it.

What is told and where: `edge.detect.standing`. It is a courtesy to what listens on the spot; the
record that is never lost is in the buffer. So the queue of what happened is bounded, and what finds
it full is counted, not waited for; of each device the newest state waits. On every connection the
states are told again, and those that the broker kept of an earlier run are put right.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge import memory
from edge.detect.found import Occurrence
from edge.detect.standing import Message, Standing
from edge.errors import TidegateError

if TYPE_CHECKING:
    import aiomqtt

log = logging.getLogger(__name__)

WAITING_MAX: Final = 1024
RECONNECT_S: Final = 3.0
RECONNECT_S_MAX: Final = 60.0
PUBLISH_TIMEOUT_S: Final = 10.0
QUIET_LOOK_S: Final = 20.0
"""How often is looked whether a quiet time is over."""
RETAINED_S: Final = 5.0
"""For so long after a connection is listened to what the broker kept of earlier runs."""


@dataclass(slots=True)
class Told:
    """Counts of what was told: ``sent`` messages, and ``dropped`` ones that found no room."""

    sent: int = 0
    dropped: int = 0


class Alerts:
    """A bounded queue of what is to be told, and the task that publishes it.

    Args:
        connect: makes a fresh MQTT client for each connection.
        standing: how the devices stand; it is ours then.
    """

    def __init__(self, connect: "Callable[[], aiomqtt.Client]", standing: Standing):
        self.told = Told()
        self._connect = connect
        self._standing = standing
        self._waiting: deque[Message] = deque()
        self._states: dict[str, Message] = {}
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Messages that are not published yet."""
        return len(self._waiting) + len(self._states)

    def resume(self, occurrences: Sequence[Occurrence]) -> None:
        """Take up what was open before a restart; call on the event loop, before the first."""
        self._add(self._standing.resume(occurrences))

    def add(self, occurrences: Iterable[Occurrence]) -> None:
        """Queue what happened; call on the event loop. When full the oldest give way, counted."""
        for one in occurrences:
            self._add(self._standing.take(one))

    def _add(self, messages: Iterable[Message]) -> None:
        for one in messages:
            if one.retain:  # of these the newest of each topic counts
                self._states.pop(one.topic, None)
                self._states[one.topic] = one
            else:
                self._waiting.append(one)
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
                        await self._serve(client)
                except (aiomqtt.MqttError, ExceptionGroup) as error:
                    told = _tell(error, told)
            except (OSError, TidegateError) as error:
                told = _tell(error, told)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RECONNECT_S_MAX)

    async def _serve(self, client: "aiomqtt.Client") -> None:
        self._add(self._standing.states())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._put_right(client), name="put states right")
            tasks.create_task(self._look_for_the_end_of_quiet(), name="wait for the end of quiet")
            tasks.create_task(self._publish(client), name="tell")

    async def _put_right(self, client: "aiomqtt.Client") -> None:
        """States that the broker kept of an earlier run, and that nobody else would take back."""
        everything = f"{self._standing.naming.root}#"
        await client.subscribe(everything, qos=1)
        try:
            async with asyncio.timeout(RETAINED_S):
                async for message in client.messages:
                    payload = message.payload if isinstance(message.payload, bytes) else b""
                    right = None
                    if message.retain:
                        right = self._standing.is_wrong(str(message.topic), payload)
                    if right is not None:
                        self._add([right])
        except TimeoutError:
            await client.unsubscribe(everything)

    async def _look_for_the_end_of_quiet(self) -> None:
        while True:
            self._add(self._standing.after_quiet())
            await asyncio.sleep(QUIET_LOOK_S)

    async def _publish(self, client: "aiomqtt.Client") -> None:
        while True:
            while self._waiting or self._states:
                await self._publish_next(client)
                # `asyncio.wait_for`, by which the client waits, passes over a cancellation that
                # comes together with what it waits for (Python 3.11), and we would never end.
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise asyncio.CancelledError
            self._wake.clear()
            await self._wake.wait()

    async def _publish_next(self, client: "aiomqtt.Client") -> None:
        """The oldest of what happened, or when there is none how something stands."""
        if self._waiting:
            one = self._waiting.popleft()
        else:
            one = self._states.pop(next(iter(self._states)))
        try:
            await client.publish(
                one.topic, one.payload, qos=1, retain=one.retain, timeout=PUBLISH_TIMEOUT_S
            )
        except BaseException:  # not told yet: first in line for the next connection
            if not one.retain:
                self._waiting.appendleft(one)
            else:
                self._states.setdefault(one.topic, one)
            raise
        self.told.sent += 1


def _tell(error: Exception, told: str) -> str:
    """Log what keeps it from the broker, unless it was told just now; returns what is told."""
    said = str(error.exceptions[0] if isinstance(error, ExceptionGroup) else error)
    if said != told:
        log.info("alerts wait for the broker: %s", said)
    return said
