"""Give the commands of rules on the local brokers, with the cloud away as well as with it.

A command is sent at most once for a change, over restarts too: it is written down as sent, on the
disk, and handed to the broker after that. What then goes wrong on the way is not tried again, for
the broker may have it: it is told and counted. While a broker is away its commands wait
(`edge.detect.command_slots`), and what waits when the process ends begins anew with the next
reading.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from edge import memory
from edge.detect.command_slots import CommandStanding, Holder, Slot, Slots, Word, holder_id
from edge.detect.rules import Turn
from edge.detect.watch_memory import WatchMemory
from edge.errors import TidegateError
from edge.settings_watch import Command, Watch

if TYPE_CHECKING:
    from pathlib import Path

    import aiomqtt

log = logging.getLogger(__name__)

RECONNECT_S: Final = 1.0
RECONNECT_S_MAX: Final = 30.0
PUBLISH_TIMEOUT_S: Final = 10.0
NO_CONNECTION: Final = 4  # MQTT_ERR_NO_CONN of paho: nothing was handed over


class Commander:
    """All commands of a gateway; everything is to be called on its loop.

    Args:
        gateway: its name.
        watches: the rules, by name.
        commands: the commands, by name.
        clients: makes a fresh MQTT client, by the broker's name.
        reads: whether the gateway would read a topic itself.
        path: of the file of what stands.
        mono_s: a clock that never steps.
    """

    def __init__(
        self,
        gateway: str,
        watches: Mapping[str, Watch],
        commands: Mapping[str, Command],
        *,
        clients: Mapping[str, "Callable[[], aiomqtt.Client]"],
        reads: Callable[[str], bool],
        path: "Path",
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._watches = watches
        self._clients = clients
        self._mono_s = mono_s
        used = {watch.command for watch in watches.values()}
        self._slots = {
            name: Slots(name, command, gateway, reads)
            for name, command in commands.items()
            if name in used
        }
        self._memory = WatchMemory(path, self._of_commands)
        self._wakes = {one.command.broker: asyncio.Event() for one in self._slots.values()}
        self._told: set[str] = set()

    def restore(self, before: Sequence[Turn]) -> None:
        """What stood before a restart; nothing is said of it again."""
        for turn in before:
            slots = self._slots.get(self._watches[turn.watch].command)
            if slots is None:
                self._memory.restore([self._holder(turn)])
            else:
                slots.restore(turn, self._mono_s())

    def take(self, turns: Sequence[Turn]) -> None:
        """Take what began and what is over."""
        now_s = self._mono_s()
        for turn in turns:
            watch = self._watches[turn.watch]
            slots = self._slots.get(watch.command)
            if slots is None:
                self._memory.note(self._holder(turn), is_open=turn.is_open)
                continue
            problem = slots.take(turn, watch, now_s)
            if problem and problem not in self._told and len(self._told) < 64:
                self._told.add(problem)
                log.warning("command %s is not given: %s", slots.name, problem)
        self._memory.touch()
        for wake in self._wakes.values():
            wake.set()

    def standings(self) -> list[CommandStanding]:
        """How each command does."""
        return [slots.standing() for slots in self._slots.values()]

    async def run(self) -> None:
        """Give commands until cancelled, reconnecting for as long as it takes."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._memory.run(), name="keep what stands")
            for broker in self._wakes:
                tasks.create_task(self._serve(broker), name=f"command {broker}".strip())

    async def _serve(self, broker: str) -> None:
        pause_s, told = RECONNECT_S, ""
        while True:
            try:
                await asyncio.to_thread(memory.load, "aiomqtt")
                import aiomqtt

                try:
                    async with self._clients[broker]() as client, asyncio.TaskGroup() as tasks:
                        pause_s, told = RECONNECT_S, ""
                        tasks.create_task(_until_lost(client), name="see the connection lost")
                        await self._give(broker, client)
                except* aiomqtt.MqttError as errors:
                    told = _tell(_first(errors), told)
            except (OSError, TidegateError) as error:
                told = _tell(error, told)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RECONNECT_S_MAX)

    async def _give(self, broker: str, client: "aiomqtt.Client") -> None:
        mine = [one for one in self._slots.values() if one.command.broker == broker]
        wake = self._wakes[broker]
        while True:
            wake.clear()
            next_s = math.inf
            for slots in mine:
                slot, at_s = slots.due(self._mono_s())
                if slot is not None:
                    await self._say(client, slots, slot)
                    next_s = 0.0
                next_s = min(next_s, at_s)
            wait_s = None if next_s == math.inf else max(0.0, next_s - self._mono_s())
            if wait_s != 0.0:
                try:
                    async with asyncio.timeout(wait_s):
                        await wake.wait()
                except TimeoutError:
                    continue

    async def _say(self, client: "aiomqtt.Client", slots: Slots, slot: Slot) -> None:
        import aiomqtt

        word, command = slots.said(slot, self._mono_s()), slots.command
        await self._memory.save()
        if not word.payload:
            return
        try:
            await client.publish(
                slot.topic, word.payload, command.qos, command.retain, timeout=PUBLISH_TIMEOUT_S
            )
        except aiomqtt.MqttError as error:
            if isinstance(error, aiomqtt.MqttCodeError) and error.rc == NO_CONNECTION:
                slot.unsaid(word)
            else:
                slots.counts.failed += 1
                log.error("%s may not have arrived: %s", _shown(slots, slot, word), error)
            raise
        slots.counts.sent += 1
        log.info("%s was given", _shown(slots, slot, word))

    def _holder(self, turn: Turn) -> Holder:
        return turn.watch, holder_id(self._gateway, turn.series)

    def _of_commands(self) -> frozenset[Holder]:
        return frozenset().union(*(slots.kept for slots in self._slots.values()))


def _shown(slots: Slots, slot: Slot, word: Word) -> str:
    said = "open" if word.is_open else "close"
    return f"command {slots.name}, {said} on {slot.topic[:200]} for the watch {word.watch}"


async def _until_lost(client: "aiomqtt.Client") -> None:
    """End with the error that ends the connection; nothing is subscribed to."""
    async for _ in client.messages:
        pass


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _tell(error: Exception, told: str) -> str:
    """Log what keeps it from the broker, unless it was told just now; returns what is told."""
    if str(error) != told:
        log.info("commands wait for the broker: %s", error)
    return str(error)
