"""A real gateway is stopped: the cloud shows it as silent, and tells so within the stated time."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.broker import free_port
from deploy.demo.stack import Stack, new_stack, wait_until
from tests.cloud.notify.told_world import Hook, MailBox
from tests.e2e.conftest import Oracle

SILENT_S, LOOK_S, GROUP_S = 3.0, 0.5, 0.5
STATED_S = SILENT_S + LOOK_S + GROUP_S + LOOK_S
"""The last look is one after the window is over."""
MACHINE_S = 15.0
"""What a busy machine may take to stop a process, to look, and to post."""


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def stack(tmp_path: Path, mosquitto: None, ports: tuple[int, int]) -> Iterator[Stack]:
    hook, mail = ports
    made = new_stack(tmp_path / "stack")
    try:
        made.prepare()
        settings = made.home("cloud") / "cloud.toml"
        settings.write_text(
            settings.read_text()
            + f"\n[notify]\nlook_s = {LOOK_S}\ngroup_s = {GROUP_S}\nretry_s_max = 1.0\n"
            f'[notify.channels.hook]\nkind = "webhook"\nurl = "http://127.0.0.1:{hook}/told"\n'
            f'[notify.channels.mail]\nkind = "smtp"\nurl = "smtp://127.0.0.1:{mail}"\n'
            'starttls = false\nsender = "tg@example.org"\nrecipients = ["ops@example.org"]\n'
            '[notify.rules.high]\non = "limit"\nseries = "*/oracle/2/c"\nabove = 100.0\n'
            f'[notify.rules.quiet]\non = "silence"\nsilent_s = {SILENT_S}\nseverity = "critical"\n'
        )
        made.start_cloud()
        made.enroll()
        made.start_edge()
        wait_until("the gateway is connected", lambda: connected(made))
        yield made
    finally:
        made.close()
        print(made.cloud.tail(40))


def connected(stack: Stack) -> bool:
    rows = stack.get("/api/v1/gateways")["gateways"]
    return any(row["connected"] for row in rows)


def silent(stack: Stack, **more: str) -> list[dict[str, Any]]:
    asked = "".join(f"&{name}={value}" for name, value in more.items())
    found: list[dict[str, Any]] = stack.get(f"/api/v1/standing?what=silence{asked}")["standing"]
    return found


def notices(stack: Stack, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.get(f"/api/v1/notices?state={state}")["notices"]
    return found


def test_a_stopped_gateway_is_shown_and_told_within_the_stated_time_by_every_channel(
    stack: Stack, ports: tuple[int, int]
) -> None:
    with Hook(port=ports[0]) as hook, MailBox(port=ports[1]) as box:
        time_us = time.time_ns() // 1000
        assert silent(stack) == []
        asked = time.monotonic()
        stack.edge.stop()
        stopped = time.monotonic()
        hook.wait_for(1, STATED_S + MACHINE_S)
        assert time.monotonic() - asked >= SILENT_S
        assert time.monotonic() - stopped < STATED_S + MACHINE_S
        (told,) = hook.documents
        assert told["subject"] == f"{stack.gateway}: gateway is silent"
        (shown,) = silent(stack)
        assert shown["gateway"] == stack.gateway
        assert (shown["id"], shown["ended"]) == (told["standings"][0]["id"], None)
        assert shown["began"] >= time_us - 20_000_000
        wait_until("the letter has come", lambda: len(box.letters) == 1)
        stack.start_edge()
        hook.wait_for(2, 60)
        assert hook.documents[1]["subject"] == f"{stack.gateway}: gateway is heard again"
        assert silent(stack) == []
        assert silent(stack, which="all")[0]["ended"] is not None
        wait_until("all is noted as delivered", lambda: len(notices(stack, "delivered")) == 4)


def test_channels_that_are_down_lose_nothing_though_the_cloud_is_killed_meanwhile(
    stack: Stack, ports: tuple[int, int]
) -> None:
    stack.edge.stop()
    wait_until("both messages wait", lambda: len(notices(stack, "waiting")) == 2)
    wait_until(
        "both were tried in vain",
        lambda: all(one["attempts"] for one in notices(stack, "waiting")),
    )
    stack.cloud.kill()
    stack.start_cloud()
    (shown,) = silent(stack)
    with Hook(port=ports[0]) as hook, MailBox(port=ports[1]) as box:
        hook.wait_for(1, 60)
        wait_until("the letter has come", lambda: len(box.letters) == 1)
        wait_until("nothing waits", lambda: notices(stack, "waiting") == [])
    assert hook.documents[0]["standings"][0]["id"] == shown["id"]
    assert {one["id"] for one in notices(stack, "delivered")} >= {hook.documents[0]["id"]}
    assert stack.get("/api/v1/notices")["dropped"] == []


async def test_a_channel_that_hangs_holds_up_no_reading_while_limits_are_passed(
    stack: Stack, oracle: Oracle, ports: tuple[int, int]
) -> None:
    held = threading.Event()

    def hang(_: Hook, __: str) -> tuple[int, dict[str, str]]:
        held.wait(300)
        return 200, {}

    with Hook(hang, port=ports[0]) as hook:
        try:
            await oracle.publish(3000)
            await asyncio.to_thread(oracle.check)
            await asyncio.to_thread(wait_until, "a limit is told", lambda: said(hook, 1))
            # It has a message that it never answers, and all that is stored is archived.
            await oracle.publish(3000)
            await asyncio.to_thread(oracle.check)
            assert [one["channel"] for one in notices(stack, "waiting")].count("hook") >= 1
            assert len(hook.requests) == 1
        finally:
            held.set()
    (shown,) = stack.get("/api/v1/standing?what=limit")["standing"]
    assert (shown["device"], shown["metric"]) == ("oracle/2", "c")
    assert shown["detail"]["value"] > 100.0


def said(hook: Hook, count: int) -> bool:
    return len(hook.requests) >= count
