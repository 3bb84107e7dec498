"""A gateway whose clock is years off, against a cloud whose clock is right: all of it real."""

import time
from collections.abc import Callable

import pytest

from tests.crash.site import Site, await_until

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
