"""An agent whose cloud is away from the first second: it starts, collects, and delivers later."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from deploy.demo.stack import Stack, run, wait_until

if TYPE_CHECKING:
    from conftest import Oracle

pytestmark = pytest.mark.broker


def wait_kept(stack: Stack, oracle: "Oracle") -> None:
    """Until every acknowledged reading is in the gateway's buffer."""
    wait_until(
        "all of it is in the buffer",
        lambda: stack.edge_status()["buffer"]["rows"] >= oracle.published.total(),
    )


async def test_an_agent_that_starts_with_the_cloud_away_loses_nothing(
    oracle: "Oracle", stack: Stack
) -> None:
    assert stack.edge.stop() == 0
    stack.cloud.kill()
    await asyncio.to_thread(stack.start_edge)
    await oracle.publish(500)
    await asyncio.to_thread(wait_kept, stack, oracle)
    status = stack.edge_status()
    assert status["cloud"]["stored"] == 0
    assert status["cloud"]["line"] in ("connecting", "waiting")
    await asyncio.to_thread(stack.start_cloud)
    await asyncio.to_thread(oracle.check)


async def test_an_agent_that_was_never_enrolled_keeps_what_it_hears_for_the_cloud(
    oracle: "Oracle", stack: Stack
) -> None:
    assert stack.edge.stop() == 0
    identity = stack.home("edge") / "identity"
    identity.rename(stack.home("edge") / "set-aside")
    await asyncio.to_thread(stack.start_edge)
    await oracle.publish(500)
    await asyncio.to_thread(wait_kept, stack, oracle)
    assert not stack.edge_status()["cloud"]["enrolled"]
    cloud = str(stack.home("cloud"))
    token = run("tidegate-cloud", "--home", cloud, "token", "create", stack.gateway).split()[-1]
    run("tidegate-edge", "--home", str(stack.home("edge")), "enroll", token)
    await asyncio.to_thread(oracle.check)
