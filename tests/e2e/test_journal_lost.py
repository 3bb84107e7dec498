"""The cloud's journal is lost or set back while its lake lives: the real gateway sends again."""

import asyncio
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from deploy.demo.stack import Stack, run, wait_until

if TYPE_CHECKING:
    from conftest import Oracle

pytestmark = pytest.mark.broker


def archived(stack: Stack) -> int:
    said = stack.try_get("/api/v1/status")
    return int(said["journal"]["archived"]) if said else 0


async def some_archived_and_some_not(oracle: "Oracle", stack: Stack) -> None:
    """Publish until the lake holds some, then go on, and kill the cloud in the middle of it."""
    stop = asyncio.Event()
    publishing = asyncio.create_task(oracle.publish_until(stop))
    await asyncio.to_thread(wait_until, "the lake holds some", lambda: archived(stack) > 0, 60)
    begun = oracle.messages
    async with asyncio.timeout(60):
        while oracle.messages < begun + 300:
            await asyncio.sleep(0.005)
    await asyncio.to_thread(stack.cloud.kill)
    stop.set()
    await publishing


def told(stack: Stack, *command: str) -> str:
    return run("tidegate-cloud", "--home", str(stack.home("cloud")), *command)


async def test_a_journal_lost_under_a_living_lake_loses_and_doubles_nothing(
    oracle: "Oracle", stack: Stack
) -> None:
    await some_archived_and_some_not(oracle, stack)
    shutil.rmtree(stack.home("cloud") / "journal")
    await asyncio.to_thread(stack.start_cloud)
    await oracle.publish(300)
    await asyncio.to_thread(oracle.check)
    line = told(stack, "verify")
    assert line.startswith("history is whole: ")
    assert "the journal was lost or restored and begun anew at offset" in line
    rows = json.loads(told(stack, "ledger", "--json"))
    assert [row["open"] for row in rows] == [False, True]
    assert rows[-1]["generation"] == rows[-1]["epoch"] >> 20 > 0
    assert "of generation" in told(stack, "ledger")


async def test_an_older_journal_beside_a_newer_lake_loses_and_doubles_nothing(
    oracle: "Oracle", stack: Stack
) -> None:
    await oracle.publish(200)
    await asyncio.to_thread(oracle.check)
    assert stack.cloud.stop() == 0
    journal = stack.home("cloud") / "journal"
    shutil.copytree(journal, stack.folder / "older")
    await asyncio.to_thread(stack.start_cloud)
    await oracle.publish(200)
    await some_archived_and_some_not(oracle, stack)
    shutil.rmtree(journal)
    shutil.copytree(stack.folder / "older", journal)
    await asyncio.to_thread(stack.start_cloud)
    await oracle.publish(100)
    await asyncio.to_thread(oracle.check)
    assert "history is whole: " in told(stack, "verify")
