"""Models rolled out over real TLS to a real gateway: all the way, and back by themselves."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.stack import Stack, run, wait_until
from protos.model_key import save_key
from tests.edge.detect import graphs
from tests.rollout.models_made import KEY, graph, packed

if TYPE_CHECKING:
    from conftest import Oracle

pytestmark = pytest.mark.broker

PROMPT = 5e6
"""A reading that shows a bad model's fault, which no probe did."""
HOURS_OF_TRIAL = "0.0006"


class Fleet:
    """The stack's models, as an operator sees them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        save_key(stack.home("cloud") / "model.key", KEY)

    def model(self, *arguments: str) -> str:
        return run("tidegate-cloud", "--home", str(self.stack.home("cloud")), "model", *arguments)

    def publish(self, data: bytes, version: str) -> None:
        path = self.stack.folder / f"given-{version}.tgm"
        path.write_bytes(data)
        self.model("publish", str(path))

    def rollout(self) -> Any:
        return self.stack.get("/api/v1/rollouts")["rollouts"][0]

    def running(self, version: str) -> dict[str, Any]:
        told = self.stack.get("/api/v1/models/running?name=spread")["running"]
        return next((one for one in told if one["version"] == version), {"state": ""})

    def until(self, version: str, state: str, stage: str, scored: int = 0) -> None:
        def holds() -> bool:
            one = self.running(version)
            is_there = (one["state"], one.get("stage")) == (state, stage)
            return is_there and one["scored"] >= scored

        wait_until(f"version {version} is {state} in {stage}", holds, 90)

    def bring(self, version: str) -> None:
        """Have a version be the gateway's good one."""
        self.publish(packed(graph(), version), version)
        self.model("rollout", f"spread@{version}", "--stage", "all", "--trial", HOURS_OF_TRIAL)
        self.until(version, "good", "all")
        self.model("rollout", "spread", "--advance")


@pytest.fixture
def fleet(stack: Stack) -> Fleet:
    return Fleet(stack)


async def _while_publishing(oracle: "Oracle", does: Callable[[], None]) -> None:
    stop = asyncio.Event()
    publishing = asyncio.create_task(oracle.publish_until(stop, per_s=100))
    try:
        await asyncio.to_thread(does)
    finally:
        stop.set()
        await publishing


@pytest.mark.campaign  # the suite goes this way in tests/browser/test_loop.py
async def test_a_model_goes_from_the_shelf_over_shadow_and_canary_to_all(
    oracle: "Oracle", stack: Stack, fleet: Fleet
) -> None:
    def goes() -> None:
        fleet.publish(packed(graph(), "1"), "1")
        fleet.model("rollout", "spread", "--share", "1", "--trial", HOURS_OF_TRIAL)
        fleet.until("1", "tried", "shadow", scored=20)
        fleet.model("rollout", "spread", "--advance")
        fleet.until("1", "tried", "canary", scored=40)
        fleet.model("rollout", "spread", "--advance")
        fleet.until("1", "good", "all")
        stack.edge.kill()
        stack.edge.start()
        fleet.until("1", "good", "all", scored=20)

    await _while_publishing(oracle, goes)
    one = fleet.rollout()
    assert (one["stage"], one["good"], one["gateways"]) == ("all", 1, 1)
    await asyncio.to_thread(oracle.check)


def _children(stack: Stack) -> Iterator[int]:
    """Processes of the gateway that run a candidate."""
    assert stack.edge.process is not None
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes()
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == stack.edge.process.pid and b"apart_child" in words:
            yield int(path.name)


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "wrong-shaped": (lambda: graph("shape"), "shape"),
    "nan-producing": (lambda: graphs.not_a_number(1e6).SerializeToString(), "no number"),
    "too slow": (lambda: graphs.endless(1e6).SerializeToString(), "no answer"),
    "memory-hungry": (lambda: graphs.hungry(1e6).SerializeToString(), ""),
    "its process killed": (graph, "SIGKILL"),
}


IN_THE_SUITE = ("its process killed",)
"""The others go the same way, and are for the campaigns."""


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=() if fault in IN_THE_SUITE else pytest.mark.campaign)
        for fault in BAD
    ],
)
async def test_a_bad_model_in_canary_is_taken_back_by_itself_while_readings_come_in(
    oracle: "Oracle", stack: Stack, fleet: Fleet, fault: str
) -> None:
    made, word = BAD[fault]

    def goes_wrong() -> None:
        fleet.bring("1")
        fleet.publish(packed(made(), "2"), "2")
        fleet.model("rollout", "spread@2", "--stage", "canary")
        fleet.until("2", "tried", "canary", scored=20)
        if fault == "its process killed":
            for pid in _children(stack):
                os.kill(pid, signal.SIGKILL)
        else:
            asyncio.run(_prompt(stack))
        wait_until("the rollout is taken back", lambda: fleet.rollout()["stage"] == "back", 60)

    await _while_publishing(oracle, goes_wrong)
    one, gone, serving = fleet.rollout(), fleet.running("2"), fleet.running("1")
    assert (one["by"], one["failed"]) == ("tidegate", 1)
    assert word in one["why"]
    assert gone["state"] == "failed"
    assert gone["reason"] in one["why"]
    assert serving["state"] == "good"
    assert "taken back" in fleet.model("rollout")
    await asyncio.to_thread(oracle.check)


async def _prompt(stack: Stack) -> None:
    import aiomqtt

    async with aiomqtt.Client("127.0.0.1", stack.broker.port, identifier="prompt") as client:
        for _ in range(12):
            await client.publish("oven/heat", str(PROMPT), qos=1)
