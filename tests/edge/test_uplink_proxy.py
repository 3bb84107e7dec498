"""Delivery through a real HTTP CONNECT proxy: everything through it, nothing around it."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cloud.ingest.identity import Authority
from edge.clock import Clock
from edge.config import load
from edge.errors import OperatorError
from edge.sync_effects import Close
from edge.uplink import BACKOFF_MAX_S, Uplink, pause_s
from edge.uplink_channel import Endpoint
from edge.uplink_state import Line
from protos import sync_pb2 as pb
from tests.edge.connect_proxy import connect_proxy
from tests.sim.site import DEADLINE_S, Site, enrol, until

SECRET = "päss:w@rd/%1"


@pytest.fixture(autouse=True)
def _no_bypass(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_grpc_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def settings(folder: Path, text: str) -> Any:
    (folder / "edge.toml").write_text(f'[gateway]\nname = "gw-1"\n[cloud]\n{text}')
    return load(folder)


@asynccontextmanager
async def uplink_through(
    tmp_path: Path, world: Any, proxy: str
) -> AsyncIterator[tuple[Uplink, Any, Any]]:
    """A cloud, and an uplink with one chunk that knows it by way of ``proxy`` alone."""
    site = Site(tmp_path / "cloud", Authority.create(tmp_path / "ca", "a test"))
    papers = enrol(site.authority, "gw-1")
    store = world.open()
    store.commit(world.chunk(500)).result()
    async with site.serve() as cloud:
        endpoint = Endpoint(
            f"127.0.0.1:{site.port}", "localhost", site.authority.pem,
            papers.certificate_pem, papers.key_pem, proxy,
        )  # fmt: skip
        uplink = Uplink(
            gateway="gw-1", endpoint=endpoint, buffer=store, clock=Clock(), agent_version="a test",
            report=pb.Status, chance=random.Random(1), wake_linger_s=0.01,
        )  # fmt: skip
        task = asyncio.create_task(uplink.run())
        try:
            yield uplink, cloud, store
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert SECRET not in repr(endpoint)


async def test_every_byte_goes_through_the_proxy(tmp_path: Path, world: Any) -> None:
    async with (
        connect_proxy() as proxy,
        uplink_through(tmp_path, world, proxy.url) as (uplink, cloud, _),
    ):
        await until(lambda: uplink.state.stored == 1)
        assert cloud.journal.head() == 1
        assert len(proxy.tunnels) == 1
        assert proxy.bytes_up > uplink.state.bytes_sent > 0
        assert proxy.bytes_down > 0


async def test_user_and_password_of_the_settings_open_the_proxy_and_are_never_told(
    tmp_path: Path, world: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "pass").write_text(SECRET + "\n", encoding="utf-8")
    async with connect_proxy(f"agent x:{SECRET}") as proxy:
        text = f'proxy = "{proxy.url}/"\nproxy_username = "agent x"\nproxy_password_file = "pass"\n'
        config = settings(tmp_path, text)
        async with uplink_through(tmp_path, world, config.cloud_proxy()) as (uplink, _, _):
            await until(lambda: uplink.state.stored == 1)
            assert (len(proxy.tunnels), proxy.refused) == (1, 0)
    told = caplog.text + "".join(capfd.readouterr())
    for secret in (SECRET, "p%C3%A4ss", "w%40rd"):
        assert secret not in told
        assert secret not in repr(config)


async def test_a_proxy_that_refuses_is_named_without_the_password(
    tmp_path: Path, world: Any
) -> None:
    async with (
        connect_proxy("agent:right") as proxy,
        uplink_through(tmp_path, world, f"http://agent:wrong@127.0.0.1:{proxy.port}") as (up, *_),
    ):
        await until(lambda: up.state.line is Line.WAITING)
        assert "cloud.proxy" in up.state.hint
        assert "wrong" not in up.state.error + up.state.hint
        assert proxy.refused >= 1
        assert proxy.tunnels == []


async def test_a_proxy_that_is_away_is_not_gone_around(tmp_path: Path, world: Any) -> None:
    async with connect_proxy() as proxy:
        pass
    async with uplink_through(tmp_path, world, proxy.url) as (uplink, cloud, _):
        await until(lambda: uplink.state.line is Line.WAITING)
        assert cloud.journal.head() == 0


async def test_a_proxy_that_restarts_costs_a_reconnect_and_no_reading(
    tmp_path: Path, world: Any
) -> None:
    async with (
        connect_proxy() as proxy,
        uplink_through(tmp_path, world, proxy.url) as (uplink, cloud, store),
    ):
        await until(lambda: uplink.state.stored == 1)
        proxy.cut()
        await until(lambda: uplink.state.line is Line.WAITING)
        store.commit(world.chunk(500)).result()
        draining = asyncio.create_task(uplink.drain(DEADLINE_S))
        await until(lambda: uplink.state.stored == 2)
        cloud.archive_all()
        assert await draining
        assert len(proxy.tunnels) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('proxy = "socks5://x:1"\n', "expected http://host:port"),
        ('proxy = "http://x"\n', "expected http://host:port"),
        ('proxy = "http://u:p@x:1"\n', "proxy_password_file"),
        ('proxy_username = "u"\n', "needs a `proxy`"),
        ('proxy = "http://x:1"\nproxy_password_file = "f"\n', "needs a `proxy_username`"),
        (
            'proxy = "http://x:1"\nproxy_username = "u"\nproxy_password_file = "gone"\n',
            "no such file",
        ),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_at_the_start(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(OperatorError) as refused:
        settings(tmp_path, text)
    assert told in str(refused.value)
    assert "u:p@" not in str(refused.value)


def test_a_thousand_gateways_come_back_spread_over_the_whole_pause() -> None:
    close = Close(pb.CODE_UNSPECIFIED, "", "")
    for failures in (1, 3, 16):
        pauses = sorted(pause_s(failures, close, random.Random(seed)) for seed in range(1000))
        longest = min(BACKOFF_MAX_S, 2.0**failures)
        assert pauses[0] >= longest / 2
        assert pauses[-1] <= longest
        assert len(set(pauses)) == 1000
        # Tenths of the span: an even spread puts 100 into each.
        tenths = [int((p - longest / 2) / (longest / 2) * 10) for p in pauses]
        assert all(60 <= tenths.count(tenth) <= 140 for tenth in range(10))


def test_gateways_that_the_cloud_asked_to_wait_do_not_come_back_together() -> None:
    wish = Close(pb.OVERLOADED, "", "", retry_after_ms=30_000)
    pauses = sorted(pause_s(5, wish, random.Random(seed)) for seed in range(1000))
    assert pauses[0] >= 30
    busiest_second = max(
        sum(start <= pause < start + 1 for pause in pauses) for start in range(30, 100)
    )
    assert busiest_second < 100


async def test_hosts_that_the_environment_excepts_are_reached_directly(
    tmp_path: Path, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with (
        connect_proxy() as proxy,
        uplink_through(tmp_path, world, proxy.url) as (uplink, _, _),
    ):
        await until(lambda: uplink.state.stored == 1)
        assert proxy.tunnels == []


async def test_without_the_setting_the_proxy_of_the_environment_is_taken(
    tmp_path: Path, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy() as proxy:
        monkeypatch.setenv("grpc_proxy", proxy.url)
        async with uplink_through(tmp_path, world, "") as (uplink, _, _):
            await until(lambda: uplink.state.stored == 1)
        assert len(proxy.tunnels) == 1
