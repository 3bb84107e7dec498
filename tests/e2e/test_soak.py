"""The whole agent over minutes, an outage in the middle: memory, files and threads stay flat."""

import pytest

from benchmarks.soak import main

pytestmark = [pytest.mark.campaign, pytest.mark.broker, pytest.mark.timeout(1800)]


def test_memory_files_and_threads_of_a_whole_agent_are_flat_lines_through_an_outage() -> None:
    told = main(minutes=4.0, readings=2_400_000)
    assert told["readings"] > 2_000_000
    assert told["faults"] == [], told
