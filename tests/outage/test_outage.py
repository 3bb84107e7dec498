"""A short outage in simulated time; `make outage` is the long one."""

from pathlib import Path

import pytest

from edge.sync_pace import Pace
from protos.limits import MIB
from tests.outage.campaign import Outage

READINGS, DAYS, CAP_BYTES = 300_000, 0.15, 4 * MIB


@pytest.mark.parametrize("live_commits", [1, pytest.param(20, marks=pytest.mark.campaign)])
def test_a_backlog_drains_in_the_time_told_with_its_gaps_while_live_readings_stay_fresh(
    tmp_path: Path, live_commits: int
) -> None:
    said: list[str] = []
    outage = Outage(tmp_path, READINGS, DAYS, CAP_BYTES, live_commits, said.append)
    told = outage.run()
    assert outage.faults == []
    assert told["lost"] == told["doubled"] == 0
    assert told["gap_readings"] > 0
    assert told["live_age_s_max"] < 2
    assert any(line.startswith("Gap from day") for line in said)


@pytest.mark.campaign
def test_a_gateway_that_sends_everything_in_order_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "next_end", lambda self: False)
    outage = Outage(tmp_path, READINGS, DAYS, CAP_BYTES, 1, lambda told: None)
    outage.run()
    assert any("a live reading was" in fault for fault in outage.faults)
