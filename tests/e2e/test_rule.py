"""What a rule finds, with every real part: a command on the spot, and one episode in the cloud."""

import asyncio
import json
import time
from typing import Any

import aiomqtt
import msgspec
import pytest

from deploy.demo.stack import Stack, wait_until

pytestmark = pytest.mark.broker

DEVICE, METRIC = "boiler/1", "temperature"
RULES = """
[models]
enabled = false

[watch.hot]
when = "above"
limit = 80.0
back = 5.0
command = "shut"

[watch.quiet]
when = "silent"
limit = 4.0
device = "boiler/*"

[command.shut]
topic = "valves/1/set"
open = "shut {value}"
close = "free"

[ingest]
ignore = ["valves/#"]
"""


async def hear(port: int, heard: list[aiomqtt.Message], ready: asyncio.Event) -> None:
    async with aiomqtt.Client("127.0.0.1", port, identifier="operator") as client:
        await client.subscribe("tidegate/anomaly/#", qos=1)
        await client.subscribe("valves/#", qos=1)
        ready.set()
        async for message in client.messages:
            heard.append(message)  # noqa: PERF401 - it is looked at while it grows


async def publish(port: int, *values: float) -> None:
    async with aiomqtt.Client("127.0.0.1", port, identifier="boiler") as client:
        for value in values:
            said = json.dumps({"ts": time.time(), METRIC: value})
            await client.publish(DEVICE, said, qos=1, timeout=60)


def episodes(stack: Stack, rule: str) -> list[dict[str, Any]]:
    told = stack.try_get(f"/api/v1/episodes?device={DEVICE}")
    found = [] if told is None else list(told["episodes"])
    return [one for one in found if one["model"] == f"rule:{rule}"]


def said(heard: list[aiomqtt.Message], topic: str) -> list[bytes]:
    return [bytes(one.payload) for one in heard if str(one.topic) == topic]  # type: ignore[arg-type]


async def test_a_rule_commands_alerts_and_is_one_episode_in_the_cloud_though_the_gateway_is_killed(
    stack: Stack,
) -> None:
    stack.edge.stop()
    settings = stack.home("edge") / "edge.toml"
    settings.write_text(settings.read_text() + RULES)
    await asyncio.to_thread(stack.start_edge)
    port, heard, ready = stack.broker.port, list[aiomqtt.Message](), asyncio.Event()
    listening = asyncio.create_task(hear(port, heard, ready))
    await ready.wait()

    async def until(what: str, condition: Any) -> None:
        await asyncio.to_thread(wait_until, what, condition, 60)

    await publish(port, 20.0, 85.5, 79.0)
    await until("the valve is shut", lambda: said(heard, "valves/1/set") == [b"shut 85.5"])
    await until("it is open", lambda: [one["open"] for one in episodes(stack, "hot")] == [True])
    await until("silence is an episode", lambda: len(episodes(stack, "quiet")) == 1)
    stack.edge.kill()
    await asyncio.to_thread(stack.start_edge)
    await publish(port, 78.0, 74.0)
    await until("it is free", lambda: said(heard, "valves/1/set") == [b"shut 85.5", b"free"])
    for rule in ("hot", "quiet"):
        ended = lambda rule=rule: [one["open"] for one in episodes(stack, rule)][:1] == [False]  # noqa: E731
        await until(f"{rule} ended", ended)
    event = f"tidegate/anomaly/{stack.gateway}/{DEVICE}/{METRIC}"
    (hot,) = episodes(stack, "hot")

    def events() -> list[str]:
        told = [msgspec.json.decode(one) for one in said(heard, event)]
        return [one["event"] for one in told if one["id"] == hot["id"]]

    await until("its end is told", lambda: events() == ["opened", "ended"])
    listening.cancel()
