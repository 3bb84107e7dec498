"""The doctor beside a whole system that runs, and beside one that ended."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.stack import Stack, wait_until

if TYPE_CHECKING:
    from tests.e2e.conftest import Oracle

pytestmark = pytest.mark.broker


def doctor(stack: Stack) -> dict[str, dict[str, Any]]:
    """Its findings by name; where this machine's disk or clock are at fault is not asked."""
    command = [Path(sys.executable).parent / "tidegate-edge", "--home", stack.home("edge")]
    done = subprocess.run([*command, "doctor", "--json"], capture_output=True, check=False)
    said = json.loads(done.stdout)
    assert done.returncode == said["code"]
    return {one["name"]: one for one in said["findings"]}


async def test_the_doctor_finds_a_running_gateway_well_and_disturbs_nothing(
    stack: Stack, oracle: "Oracle"
) -> None:
    await oracle.publish(200)
    wait_until("the cloud is reached", lambda: stack.edge_status()["cloud"]["line"] == "live")
    before = stack.edge_status()
    found = doctor(stack)
    for name in (
        "configuration.usable", "agent.runs", "memory.agent", "buffer.whole", "broker.answers",
        "certificate.whole", "certificate.life", "cloud.reached", "cloud.delivers", "model.taken",
    ):  # fmt: skip
        assert name in found, found.keys()
    after = stack.edge_status()
    for part, key in (("cloud", "session"), ("cloud", "attempts"), ("broker", "sessions")):
        assert after[part][key] == before[part][key]
    await oracle.publish(100)
    oracle.check()


async def test_the_doctor_tells_a_killed_gateway_from_a_cloud_that_is_away(
    stack: Stack, oracle: "Oracle"
) -> None:
    await oracle.publish(200)
    stack.edge.kill()
    found = doctor(stack)
    assert "agent.stopped" in found
    assert "buffer.whole" in found
    assert "cloud.reached" in found
    stack.start_edge()
    stack.cloud.kill()
    wait_until("the gateway misses it", lambda: bool(stack.edge_status()["cloud"]["error"]))
    found = doctor(stack)
    assert "tidegate-cloud serve" in found["cloud.tcp"]["to_do"]
    assert "agent.runs" in found
    assert found["cloud.delivery"]["to_do"]
    stack.start_cloud()
    oracle.check()
