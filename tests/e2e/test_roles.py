"""The cloud's roles as processes: each is killed under load, and every reading is there once."""

import asyncio
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cloud.errors import StorageError
from deploy.demo.stack import Stack, new_stack, wait_until
from tests.e2e.conftest import Oracle


@pytest.fixture
def stack(tmp_path: Path, mosquitto: None) -> Iterator[Stack]:
    made = new_stack(tmp_path / "stack")
    try:
        made.prepare()
        settings = made.home("cloud") / "cloud.toml"
        settings.write_text(
            settings.read_text()
            + '\n[roles]\ningest = "apart"\nconsolidation = "apart"\nreaders = 2\n'
        )
        made.start_cloud()
        made.enroll()
        made.start_edge()
        yield made
    finally:
        made.close()
        print(made.cloud.tail(40))


def children(stack: Stack, role: str) -> list[psutil.Process]:
    """Those that run a role's program."""
    assert stack.cloud.process is not None
    found = psutil.Process(stack.cloud.process.pid).children()
    return [one for one in found if f"cloud.roles.{role}" in _command(one)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []


async def test_whichever_role_is_killed_every_reading_is_in_history_once(
    stack: Stack, oracle: Oracle
) -> None:
    stop = asyncio.Event()
    publishing = asyncio.create_task(oracle.publish_until(stop))
    for victim in ("consolidator", "reader", "decoder", "ingest", "consolidator", "first"):
        before = oracle.published.total()
        while oracle.published.total() < before + 400:
            await asyncio.sleep(0.05)
        (child,) = await asyncio.to_thread(_running, stack, "consolidator", 1)
        one, another = await asyncio.to_thread(_running, stack, "reader", 2)
        (ingest,) = await asyncio.to_thread(_running, stack, "ingest", 1)
        (decoder,) = await asyncio.to_thread(_running, stack, "decoder", 1)
        if victim in ("ingest", "first"):
            if victim == "first":
                stack.cloud.kill()
            else:
                ingest.kill()
                assert stack.cloud.process is not None
                assert stack.cloud.process.wait(30) == StorageError.exit_code
            for each in (child, one, another, ingest, decoder):
                wait_until("the child went with its parent", _is_gone(each), 20)
            stack.cloud.start()
        else:
            {"consolidator": child, "reader": one, "decoder": decoder}[victim].kill()
    stop.set()
    await publishing
    await asyncio.to_thread(oracle.check)
    (child,) = await asyncio.to_thread(_running, stack, "consolidator", 1)
    one, another = await asyncio.to_thread(_running, stack, "reader", 2)
    (ingest,) = await asyncio.to_thread(_running, stack, "ingest", 1)
    (decoder,) = await asyncio.to_thread(_running, stack, "decoder", 1)
    (gateway,) = (await asyncio.to_thread(fetch, f"{stack.page}/api/v1/gateways"))["gateways"]
    assert gateway["connected"], "who is connected comes from the other process"
    assert stack.cloud.stop() == 0
    assert not any(each.is_running() for each in (child, one, another, ingest, decoder))
    log = stack.cloud.log.read_text()
    assert log.count("its process ended: killed by signal 9") >= 1
    assert "Traceback" not in log
    assert "fork" not in log  # what gRPC says where a process with its threads is copied


def fetch(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def _is_gone(child: psutil.Process) -> Callable[[], bool]:
    return lambda: not child.is_running()


def _running(stack: Stack, role: str, count: int) -> list[psutil.Process]:
    wait_until(f"{role} runs", lambda: len(children(stack, role)) == count, 30)
    return children(stack, role)
