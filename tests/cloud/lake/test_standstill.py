"""Consolidation that falls silent while there is something to consolidate: noticed and told."""

import asyncio
import logging
import os
import signal
from pathlib import Path

import pytest

from cloud.lake import standstill
from cloud.lake.standstill import SILENT_S, Standstill
from cloud.settings import Placement
from tests.cloud.lake_world import T0
from tests.cloud.operated_cloud import Cloud

PAUSE_S = 10.0
LIMIT_S = SILENT_S + PAUSE_S


@pytest.fixture
def still() -> Standstill:
    made = Standstill(PAUSE_S)
    made.look(1000.0, 5, 5, 1)
    return made


def told(log: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in log.records if one.name == standstill.__name__]


def test_silence_with_blocks_waiting_is_a_fault_after_its_time_and_told_once(
    still: Standstill, caplog: pytest.LogCaptureFixture
) -> None:
    still.look(1000.5, 7, 5, 1)
    still.look(999.9 + LIMIT_S, 8, 5, 1)
    assert still.fault is None
    for later in (1.0, 2.0, 500.0):
        still.look(1000.0 + LIMIT_S + later, 9, 5, 1)
    assert "no word of it for 610 s, while offsets 6 to 9" in str(still.fault)
    assert len(told(caplog)) == 1


def test_a_cloud_with_nothing_to_consolidate_may_be_silent_for_ever(still: Standstill) -> None:
    still.look(1e9, 5, 5, 1)
    still.look(1e9 + 1, 6, 5, 1)
    assert still.fault is None


@pytest.mark.parametrize(("lake", "signs"), [(5, 2), (6, 1)])
def test_a_call_and_an_offset_that_moves_are_signs_of_life(
    still: Standstill, lake: int, signs: int
) -> None:
    still.look(999.0 + LIMIT_S, 9, lake, signs)
    still.look(998.0 + 2 * LIMIT_S, 9, lake, signs)
    assert still.fault is None
    still.look(1000.0 + 2 * LIMIT_S, 9, lake, signs)
    assert still.fault is not None


def test_one_that_is_heard_again_is_well_and_its_next_silence_is_told_anew(
    still: Standstill, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    still.look(1000.0 + LIMIT_S, 9, 5, 1)
    still.look(1001.0 + LIMIT_S, 9, 7, 2)
    assert still.fault is None
    still.look(1001.0 + 2 * LIMIT_S, 9, 7, 2)
    assert [text.split(":")[0] for text in told(caplog)] == [
        "consolidation stands still",
        "consolidation is heard again; the tables are at offset 7",
        "consolidation stands still",
    ]


async def test_a_process_that_hangs_makes_health_bad_until_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(standstill, "SILENT_S", 0.5)
    monkeypatch.setattr("cloud.aggregator.WATCH_S", 0.01)
    cloud = Cloud(tmp_path)
    cloud.open(Placement.APART)
    assert cloud.aggregator is not None
    child = cloud.aggregator.lake.pid
    assert child is not None
    watch = asyncio.create_task(cloud.aggregator._watch())

    async def until(status: int) -> str:
        async with asyncio.timeout(60):
            while (found := cloud.client.get("/healthz")).status_code != status:
                await asyncio.sleep(0.01)
        return str(found.text)

    try:
        os.kill(child, signal.SIGSTOP)
        cloud.send("one °C", [(T0, 1.0)])
        assert "it hangs" in await until(503)
        assert len(told(caplog)) == 1
        os.kill(child, signal.SIGCONT)
        await until(200)
        cloud.drain()
    finally:
        os.kill(child, signal.SIGCONT)
        watch.cancel()
        cloud.close()
