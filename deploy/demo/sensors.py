"""Simulated sensors: they publish as real ones do, and know what the broker acknowledged."""

import asyncio
import json
import math
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiomqtt

PERIOD_S = 0.1
# One device in ten misbehaves now and then, so that there is something to find.
FAULT_CHANCE = 0.002


@dataclass(slots=True)
class Told:
    """What was published and acknowledged, in readings; `sink` sees every (topic, payload)."""

    messages: int = 0
    readings: int = 0
    sink: Callable[[str, str], None] | None = None
    counted: dict[str, int] = field(default_factory=dict)

    def add(self, topic: str, payload: str, readings: int) -> None:
        """Count one message whose PUBACK came."""
        self.messages += 1
        self.readings += readings
        if self.sink is not None:
            self.sink(topic, payload)


def greenhouse(number: int, chance: random.Random) -> Callable[[float], tuple[str, str, int]]:
    """A climate sensor: three values in one flat JSON object with a time of its own."""
    topic = f"greenhouse/bay{number}/climate"
    base, phase = chance.uniform(18, 24), chance.uniform(0, math.tau)

    def say(at: float) -> tuple[str, str, int]:
        wave = math.sin(at / 7 + phase)
        fault = 15.0 if chance.random() < FAULT_CHANCE else 0.0
        payload = {
            "ts": round(at, 3),
            "temperature": round(base + 1.5 * wave + chance.gauss(0, 0.05) + fault, 2),
            "humidity": round(60 - 8 * wave + chance.gauss(0, 0.3), 1),
            "light": round(max(0.0, 12000 * math.sin(at / 31 + phase)) + chance.gauss(0, 20), 0),
        }
        return topic, json.dumps(payload), 3

    return say


def pump(number: int, chance: random.Random) -> Callable[[float], tuple[str, str, int]]:
    """A pump that says a state as text, a switch as a boolean and a flow as a number."""
    topic = f"plant/pump{number}"

    def say(at: float) -> tuple[str, str, int]:
        running = int(at / 20) % 3 != 0
        flow = chance.gauss(3.2, 0.02) if running else 0.0
        payload = {"flow": round(flow, 3), "on": running, "state": "run" if running else "idle"}
        return topic, json.dumps(payload), 3

    return say


def probe(number: int, chance: random.Random) -> Callable[[float], tuple[str, str, int]]:
    """A bare scalar on a topic of its own: the simplest sensor there is."""
    topic = f"tank/{number}/level"
    state = [chance.uniform(40, 60)]

    def say(_at: float) -> tuple[str, str, int]:
        state[0] += chance.gauss(0, 0.05)
        fault = -20.0 if chance.random() < FAULT_CHANCE else 0.0
        return topic, f"{state[0] + fault:.2f}", 1

    return say


def site(seed: int = 1) -> list[Callable[[float], tuple[str, str, int]]]:
    """The demo's devices: ten climate sensors, five pumps, ten tanks. 55 series, 250 messages/s."""
    chance = random.Random(seed)
    makers = [(greenhouse, 10), (pump, 5), (probe, 10)]
    return [
        maker(number + 1, random.Random(chance.random()))
        for maker, count in makers
        for number in range(count)
    ]


async def ticks(stop: asyncio.Event) -> AsyncIterator[None]:
    """Yield every `PERIOD_S` without drifting, until told to stop."""
    due = time.monotonic()
    while not stop.is_set():
        yield
        due += PERIOD_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def publish(port: int, told: Told, stop: asyncio.Event, seed: int = 1) -> None:
    """Publish every device each period at QoS 1 until `stop`; every PUBACK is waited for."""
    devices = site(seed)
    client = aiomqtt.Client("127.0.0.1", port, identifier="tidegate-demo-sensors")
    client.pending_calls_threshold = len(devices)
    async with client:

        async def say(device: Callable[[float], tuple[str, str, int]]) -> None:
            topic, payload, readings = device(time.time())
            await client.publish(topic, payload, qos=1, timeout=60)
            told.add(topic, payload, readings)

        async for _ in ticks(stop):
            await asyncio.gather(*(say(device) for device in devices))
