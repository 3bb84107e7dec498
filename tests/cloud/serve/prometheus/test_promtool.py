"""Debian's promtool as a client: it reads what the server says, over a real connection."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.serve.page_door import PageServer, listen, served
from tests import promtool
from tests.cloud.lake_world import T0
from tests.cloud.serve.prometheus.prometheus_world import PrometheusWorld

SECOND_US = 1_000_000
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def world(tmp_path: Path):
    world = PrometheusWorld(tmp_path / "lake")
    rows = [(T0 + i * 10 * SECOND_US, float(i)) for i in range(60)]
    world.put("pump", rows[:40], "energy", unit="kWh", room="hall")
    world.consolidate()
    world.put("pump", rows[40:], "energy", unit="kWh", room="hall")
    world.put("door", [(T0, 1.0)], "bus/open")
    yield world
    world.close()


async def asked(world: PrometheusWorld, *told: Callable[[str], tuple[str, ...]]) -> list[Done]:
    """What promtool says, asked for each of these with the server's address."""
    server = PageServer(served(world.app, 1.0))
    with listen("127.0.0.1:0") as door:
        serving = asyncio.create_task(server.serve(sockets=[door]))
        host, port = door.getsockname()
        address = f"http://{host}:{port}/api/prometheus"
        try:
            return [await asyncio.to_thread(promtool.run, *each(address)) for each in told]
        finally:
            server.should_exit = True
            await serving


def said(done: Done) -> list[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


async def test_promtool_is_told_values_at_one_time(world) -> None:
    at = T0 / 1e6 + 300.5
    value, rate, number = await asked(
        world,
        lambda url: ("query", "instant", url, f"--time={at}", "energy"),
        lambda url: ("query", "instant", url, f"--time={at}", "sum(rate(energy[1m])) * 10"),
        lambda url: ("query", "instant", url, f"--time={at}", "1 + 1"),
    )
    labels = 'device="pump", gateway="gw-1", metric="energy", room="hall", unit="kWh"'
    assert said(value) == [f"energy{{{labels}}} => 30 @[{at}]"]
    assert said(rate) == [f"{{}} => 1 @[{at}]"]
    assert said(number) == [f"scalar: 2 @[{at}]"]


async def test_promtool_is_told_values_over_a_range(world) -> None:
    start, end = T0 // SECOND_US, T0 // SECOND_US + 180
    (done,) = await asked(
        world,
        lambda url: (
            "query", "range", url, f"--start={start}", f"--end={end}", "--step=1m",
            "avg_over_time(energy[1m])",
        ),
    )  # fmt: skip
    labels = 'device="pump", gateway="gw-1", metric="energy", room="hall", unit="kWh"'
    times = [start + minute * 60 for minute in (1, 2, 3)]
    values = [f"{2.5 + 6 * minute:g} @[{at}]" for minute, at in enumerate(times)]
    assert said(done) == [f"{{{labels}}} =>", *values]


async def test_promtool_is_told_series_and_labels(world) -> None:
    span = f"--start={T0 // SECOND_US - 60}", f"--end={T0 // SECOND_US + 600}"
    series, labels, metrics = await asked(
        world,
        lambda url: ("query", "series", url, "--match=bus_open", *span),
        lambda url: ("query", "labels", url, *span, "room"),
        lambda url: ("query", "labels", url, *span, "__name__"),
    )
    told = '{__name__="bus_open", device="door", gateway="gw-1", metric="bus/open"}'
    assert said(series) == [told]
    assert said(labels) == ["hall"]
    assert said(metrics) == ["bus_open", "energy"]


async def test_promtool_is_told_why_it_gets_no_answer(world) -> None:
    unknown, long = await asked(
        world,
        lambda url: ("query", "instant", url, "topk(3, energy)"),
        lambda url: ("query", "range", url, "--start=0", "--end=20000", "--step=1s", "energy"),
    )
    assert (unknown.returncode, long.returncode) == (1, 1)
    assert "bad_data: 1:1: parse error: topk() is not supported here" in unknown.stderr
    assert "the nearest is max" in unknown.stderr
    assert "20001 points a series are more than 11000" in long.stderr
