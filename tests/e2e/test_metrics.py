"""Both halves seen from outside, as real processes: figures that promtool likes, and health."""

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from deploy.demo.broker import free_port
from deploy.demo.stack import Stack, wait_until
from tests import promtool

if TYPE_CHECKING:
    from tests.e2e.conftest import Oracle

pytestmark = pytest.mark.broker


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def figure(port: int, name: str) -> float:
    """The sum of a metric's samples; -1 while there is none."""
    lines = ask(port, "/metrics")[1].splitlines()
    found = [
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.partition(" ")[0].partition("{")[0] == name
    ]
    return sum(found) if found else -1.0


async def test_both_halves_tell_their_figures_and_their_health(
    stack: Stack, oracle: "Oracle"
) -> None:
    ports = {"edge": free_port(), "cloud": free_port()}
    for half, port in ports.items():
        with (stack.home(half) / f"{half}.toml").open("a") as settings:
            settings.write(f'\n[metrics]\nlisten = "127.0.0.1:{port}"\n')
    stack.edge.stop()
    stack.cloud.stop()
    stack.start_cloud()
    stack.start_edge()
    await oracle.publish(300)
    edge, cloud = ports["edge"], ports["cloud"]
    wait_until(
        "the gateway has nothing left to deliver",
        lambda: (
            figure(edge, "tidegate_edge_readings_total") >= 300
            and figure(edge, "tidegate_edge_buffer_rows") == 0
        ),
    )
    for half, port in ports.items():
        status, told = ask(port, "/metrics")
        assert status == 200
        assert f"tidegate_{half}_info" in told
        promtool.check(told)
    assert figure(cloud, "tidegate_cloud_journal_readings_total") >= 300
    assert figure(cloud, "tidegate_cloud_sessions") == 1
    assert figure(cloud, "tidegate_cloud_gateway_connected") == 1
    assert figure(edge, "tidegate_edge_commit_seconds_count") >= 1
    assert figure(edge, "tidegate_edge_uplink_sent_bytes_total") > 0
    wait_until("lag is gone", lambda: figure(cloud, "tidegate_cloud_lake_lag_seconds") == 0)
    assert ask(edge, "/healthz") == (200, '{"status":"ok"}')
    assert ask(cloud, "/healthz") == (200, '{"status":"ok"}')
    stack.broker.stop()
    wait_until("the lost broker is a fault", lambda: ask(edge, "/healthz")[0] == 503)
    assert "broker" in json.loads(ask(edge, "/healthz")[1])["fault"]
    assert figure(edge, "tidegate_edge_broker_connected") == 0
    stack.broker.start()
    wait_until("the broker is back", lambda: ask(edge, "/healthz")[0] == 200)


def test_nothing_listens_unless_it_is_asked_for(stack: Stack) -> None:
    for half in (stack.edge, stack.cloud):
        assert "/metrics" not in half.log.read_text()
