"""A fault in a stream, with every real part: one episode, from sensor to API and broker.

The gateway runs the shipped model as it is; it is killed in the midst of the fault.
"""

import asyncio
import json
import random
import time
from typing import Any

import aiomqtt
import msgspec
import pytest

from deploy.demo.stack import Stack, wait_until

pytestmark = pytest.mark.broker

DEVICE, METRIC = "press/7", "pressure"
CALM, FAULT, AFTER = 600, 12, 150
STATE = f"tidegate/anomaly/{{}}/{DEVICE}/$state"


def readings(seed: int = 5) -> list[tuple[float, float]]:
    """Times and values, a second apart: calm, a fault of 12 s, calm again."""
    chance = random.Random(seed)
    start = time.time() - CALM - FAULT - AFTER
    values = [chance.gauss(20, 0.2) for _ in range(CALM + FAULT + AFTER)]
    for at in range(CALM, CALM + FAULT):
        values[at] += 40 + 10 * (at == CALM + 3)
    return [(start + at, value) for at, value in enumerate(values)]


async def publish(port: int, told: list[tuple[float, float]]) -> None:
    async with aiomqtt.Client("127.0.0.1", port, identifier="press") as client:
        for ts, value in told:
            said = json.dumps({"ts": ts, METRIC: value})
            await client.publish(DEVICE, said, qos=1, timeout=60)


async def hear(port: int, heard: list[aiomqtt.Message], ready: asyncio.Event) -> None:
    async with aiomqtt.Client("127.0.0.1", port, identifier="operator") as client:
        await client.subscribe("tidegate/anomaly/#", qos=1)
        await client.subscribe("homeassistant/#", qos=1)
        ready.set()
        async for message in client.messages:
            heard.append(message)  # noqa: PERF401 - it is looked at while it grows


def episodes(stack: Stack) -> list[dict[str, Any]]:
    told = stack.try_get(f"/api/v1/episodes?device={DEVICE}")
    return [] if told is None else list(told["episodes"])


def said(heard: list[aiomqtt.Message], topic: str) -> list[dict[str, Any]]:
    found = [bytes(one.payload) for one in heard if str(one.topic) == topic]  # type: ignore[arg-type]
    return [msgspec.json.decode(one) for one in found]


async def test_a_fault_is_one_episode_in_the_api_and_one_alert_though_the_gateway_is_killed_in_it(
    stack: Stack,
) -> None:
    told, port = readings(), stack.broker.port
    heard: list[aiomqtt.Message] = []
    ready = asyncio.Event()
    listening = asyncio.create_task(hear(port, heard, ready))
    await ready.wait()
    event = f"tidegate/anomaly/{stack.gateway}/{DEVICE}/{METRIC}"
    await publish(port, told[: CALM + FAULT])
    is_open = lambda: any(one["open"] for one in episodes(stack))  # noqa: E731
    await asyncio.to_thread(wait_until, "an open episode is in the API", is_open, 60)
    before = said(heard, event)
    stack.edge.kill()
    await asyncio.to_thread(stack.start_edge)
    await publish(port, told[CALM + FAULT :])
    is_closed = lambda: not is_open() and bool(episodes(stack))  # noqa: E731
    await asyncio.to_thread(wait_until, "it ended", is_closed, 60)
    state = STATE.format(stack.gateway)
    off = lambda: said(heard, state)[-1]["state"] == "OFF"  # noqa: E731
    await asyncio.to_thread(wait_until, "the device is well again", off, 30)
    listening.cancel()

    at_us = [round(ts * 1e6) for ts, _ in told]
    mine = [one for one in episodes(stack) if one["to"] >= at_us[CALM]]
    (one,) = mine
    assert one["from"] == pytest.approx(at_us[CALM], abs=2)
    assert at_us[CALM] <= one["peak_ts"] <= at_us[CALM + FAULT + 48]
    assert at_us[CALM] < one["to"] < at_us[-1]
    assert one["peak"] > one["threshold"] > 0
    assert one["model"].startswith("residual@")
    assert one["points"] >= 2
    alerts = [each for each in said(heard, event) if each["id"] == one["id"]]
    assert [each["event"] for each in alerts] == ["opened", "ended"]
    assert before[-1]["event"] == "opened"
    sensor = [str(each.topic) for each in heard if str(each.topic).startswith("homeassistant/")]
    assert len(set(sensor)) == 1
