"""One reading's whole journey, with every real part, and with parts killed on the way."""

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from deploy.demo.stack import Stack, StackError, run, wait_until

if TYPE_CHECKING:
    from conftest import Oracle

pytestmark = pytest.mark.broker
SEEDS = pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.campaign)])


async def test_every_published_reading_is_in_history_once(oracle: "Oracle") -> None:
    await oracle.publish(2000)
    await asyncio.to_thread(oracle.check)
    assert oracle.published.total() > 2000


@SEEDS
async def test_killing_the_gateway_in_mid_stream_loses_and_doubles_nothing(
    oracle: "Oracle", stack: Stack, seed: int
) -> None:
    def kill() -> None:
        stack.edge.kill()
        stack.edge.start()

    await _kill_in_mid_stream(oracle, kill, random.Random(seed))
    await asyncio.to_thread(oracle.check)


@SEEDS
async def test_killing_the_cloud_in_mid_stream_loses_and_doubles_nothing(
    oracle: "Oracle", stack: Stack, seed: int
) -> None:
    def kill() -> None:
        stack.cloud.kill()
        stack.start_cloud()

    await _kill_in_mid_stream(oracle, kill, random.Random(seed))
    await asyncio.to_thread(oracle.check)


async def _kill_in_mid_stream(
    oracle: "Oracle", kill: Callable[[], None], chance: random.Random
) -> None:
    """Kill three times, each after some hundred more messages, while publishing goes on."""
    stop = asyncio.Event()
    publishing = asyncio.create_task(oracle.publish_until(stop))
    for _ in range(3):
        await _messages(oracle, oracle.messages + chance.randrange(300, 900))
        await asyncio.to_thread(kill)
    await _messages(oracle, oracle.messages + 300)
    stop.set()
    await publishing


async def test_what_is_published_while_the_cloud_is_away_arrives_when_it_returns(
    oracle: "Oracle", stack: Stack
) -> None:
    stack.cloud.kill()
    await oracle.publish(1000)
    await asyncio.to_thread(_wait_buffered, stack, oracle)
    stack.edge.kill()
    stack.edge.start()
    await asyncio.to_thread(stack.start_cloud)
    await asyncio.to_thread(oracle.check)


async def test_what_the_broker_kept_while_the_gateway_was_away_arrives(
    oracle: "Oracle", stack: Stack
) -> None:
    assert stack.edge.stop() == 0
    await oracle.publish(1500)
    await asyncio.to_thread(stack.start_edge)
    await asyncio.to_thread(oracle.check)


async def _messages(oracle: "Oracle", count: int) -> None:
    async with asyncio.timeout(60):
        while oracle.messages < count:
            await asyncio.sleep(0.005)


def _wait_buffered(stack: Stack, oracle: "Oracle") -> None:
    def buffered() -> bool:
        return bool(stack.edge_status()["buffer"]["rows"] >= oracle.published.total())

    wait_until("the buffer holds everything that was published", buffered, 30)


def test_a_token_opens_one_gateway_once(stack: Stack) -> None:
    token = run("tidegate-cloud", "--home", str(stack.home("cloud")), "token", "create", "g2")
    other = str(stack.folder / "edge2")
    run("tidegate-edge", "--home", other, "init", "--name", "g2")
    run("tidegate-edge", "--home", other, "enroll", token.split()[-1])
    third = str(stack.folder / "edge3")
    run("tidegate-edge", "--home", third, "init", "--name", "g2")
    with pytest.raises(StackError, match="used"):
        run("tidegate-edge", "--home", third, "enroll", token.split()[-1])


def test_a_withdrawn_certificate_ends_the_live_session_with_its_reason(stack: Stack) -> None:
    wait_until("the gateway is live", lambda: stack.edge_status()["cloud"]["line"] == "live", 30)
    run("tidegate-cloud", "--home", str(stack.home("cloud")), "gateways", "revoke", stack.gateway)
    wait_until(
        "the gateway is told", lambda: "withdrawn" in stack.edge_status()["cloud"]["error"], 30
    )
    assert stack.edge_status()["broker"]["connected"]
