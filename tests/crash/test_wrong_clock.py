"""A gateway whose clock is years off, against a cloud whose clock is right: all of it real."""

import json
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from deploy.demo import tally
from deploy.demo.stack import run
from protos.records import Quality
from tests.crash.site import Site, await_until
from tests.crash.verdict import PREFIX

pytestmark = [pytest.mark.broker, pytest.mark.campaign]

CLOCKS = ["@1970-01-01 00:00:10", "-400d", "+400d"]


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_gateway_with_a_wrong_clock_collects_connects_and_delivers(
    new_site: Callable[..., Site], faketime: tuple[str, ...], clock: str
) -> None:
    site = new_site(edge_environment=(*faketime, f"FAKETIME={clock}"))
    site.open()
    await_until("600 are acknowledged", lambda: site.heard.acknowledged >= 600, 60)
    said = site.stack.edge_status()
    off_us = abs(said["clock"]["now_us"] - time.time_ns() // 1000)
    assert off_us > 300 * 86_400_000_000, "the gateway's clock was not wrong at all"
    site.kill("edge")
    site.drain(90)
    verdict = site.judge()
    assert (verdict.lost, verdict.doubled, verdict.foreign) == ([], [], 0)
    assert verdict.acknowledged >= 600


def test_history_of_a_gateway_that_began_in_1970_is_at_the_right_times_once_its_clock_is(
    new_site: Callable[..., Site], faketime: tuple[str, ...]
) -> None:
    began_us = time.time_ns() // 1000
    site = new_site(edge_environment=(*faketime, f"FAKETIME={CLOCKS[0]}"))
    site.open()
    settings, edge = site.stack.home("edge") / "edge.toml", site.half("edge")
    settings.write_text(settings.read_text() + '\n[clock]\ntrust = "always"\n')
    site.kill("edge")  # each process has a stretch of its own, of one boot
    await_until("600 are acknowledged", lambda: site.heard.acknowledged >= 600, 60)
    await_until("the lake holds times of 1970", lambda: bool(_untimed(site, 0, began_us)), 60)
    right = [word for word in edge.command if not word.startswith(("FAKETIME=", "LD_PRELOAD="))]
    edge.command = right  # NTP has set it; the boot is the same
    site.kill("edge")
    await_until("the clock is believed", lambda: site.stack.edge_status()["clock"]["synced"], 60)
    await_until("600 more", lambda: site.heard.acknowledged >= 1200, 60)
    site.drain(90)
    ended_us = time.time_ns() // 1000
    await_until("no time of 1970 is left", lambda: not _untimed(site, 0, began_us), 60)
    verdict = site.judge()
    assert (verdict.lost, verdict.doubled, verdict.foreign) == ([], [], 0)
    found = _untimed(site, began_us, ended_us)
    assert {row[2] for row in found} >= {int(Quality.GATEWAY_CORRECTED)}
    assert int(Quality.GATEWAY_UNSYNCED) not in {row[2] for row in found}
    numbers = [int(row[1]) for row in sorted(found)]
    late = [b for a, b in pairwise(numbers) if b < a - 2 * site.per_s]
    assert not late, "what was published later is later in history"
    cloud = str(site.stack.home("cloud"))
    assert json.loads(run("tidegate-cloud", "--home", cloud, "verify", "--json"))["whole"]


def test_a_gateway_in_1970_renews_when_asked_and_when_the_clouds_clock_leaps_over_its_life(
    new_site: Callable[..., Site], faketime: tuple[str, ...]
) -> None:
    site = new_site(edge_environment=(*faketime, f"FAKETIME={CLOCKS[0]}"))
    site.open()
    key = site.stack.home("edge") / "identity" / "gateway.key"
    first, home = key.read_bytes(), str(site.stack.home("cloud"))
    run("tidegate-cloud", "--home", home, "gateways", "renew", site.stack.gateway)
    await_until("it has a new key", lambda: key.read_bytes() != first, 60)
    site.kill("edge")
    site.recover(60)
    second, cloud = key.read_bytes(), site.half("cloud")
    right = cloud.command
    cloud.command = ["env", *faketime, "FAKETIME=+800d", *right]
    site.kill("cloud")
    await_until("it has another key", lambda: key.read_bytes() != second, 90)
    site.recover(60)
    third, cloud.command = key.read_bytes(), right
    site.kill("cloud")
    site.recover(60)
    assert key.read_bytes() == third, "one leap of a clock is one renewal"
    site.drain(90)
    verdict = site.judge()
    assert (verdict.lost, verdict.doubled, verdict.foreign) == ([], [], 0)


def _untimed(site: Site, from_us: int, to_us: int) -> list[tuple[int, float, int]]:
    """Readings that the gateway stamped, in [from, to): time, value, quality."""
    found: list[tuple[int, float, int]] = []
    for one in tally.series(site.stack):
        if one["device"].startswith(PREFIX) and one["metric"] != "a":
            path = f"/api/v1/history?series={one['id']}&from={from_us}&to={to_us}"
            said = site.stack.get(f"{path}&resolution=raw")["series"][0]
            found += zip(said["t"], said["v"], said["quality"], strict=True)
    return found
