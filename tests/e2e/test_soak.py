"""The whole agent's memory over minutes, an outage in the middle: a flat line."""

import pytest

from benchmarks.soak import main

pytestmark = [pytest.mark.campaign, pytest.mark.broker, pytest.mark.timeout(900)]

GROWTH_MB_MAX = 12
"""Well above what an allocator wavers by, well below what a message left behind each would cost."""


def test_the_memory_of_a_whole_agent_is_a_flat_line_through_an_outage() -> None:
    told = main(minutes=4.0, per_s=500)
    assert told["messages"] > 4 * 60 * 200
    assert told["growth_mb"] <= GROWTH_MB_MAX, told
