"""The uplink with a real buffer, over real mutual TLS, to a real cloud on loopback."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cloud.ingest.identity import Authority
from cloud.registry.registry import Admission
from edge.clock import Clock
from edge.sync_effects import Close
from edge.uplink import FENCED_MIN_S, Uplink, pause_s
from edge.uplink_channel import Endpoint
from edge.uplink_state import Line
from protos import sync_pb2 as pb
from protos.block import read_block
from tests.sim.site import DEADLINE_S, Papers, Running, Site, enrol, until


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "cloud", Authority.create(tmp_path / "ca", "a test"))


@pytest.fixture
def papers(site: Site) -> Papers:
    return enrol(site.authority, "gw-1")


@asynccontextmanager
async def uplink_to(site: Site, store: Any, papers: Papers, **more: Any) -> AsyncIterator[Uplink]:
    endpoint = Endpoint(
        address=f"127.0.0.1:{site.port}",
        cloud_name=more.pop("cloud_name", "localhost"),
        ca_pem=more.pop("ca_pem", site.authority.pem),
        certificate_pem=papers.certificate_pem,
        key_pem=papers.key_pem,
    )
    uplink = Uplink(
        gateway=more.pop("gateway", "gw-1"),
        endpoint=endpoint,
        buffer=store,
        clock=Clock(boot_id=more.pop("boot_id", bytes(16))),
        agent_version="a test",
        report=lambda: pb.Status(backlog_rows=7),
        chance=random.Random(1),
        wake_linger_s=0.01,
    )
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def drained(uplink: Uplink, cloud: Running) -> bool:
    """Drain while a stand-in for the lake archives what comes."""
    draining = asyncio.create_task(uplink.drain(DEADLINE_S))
    while not draining.done():
        cloud.archive_all()
        await asyncio.wait([draining], timeout=0.05)
    return draining.result()


def history(cloud: Running, world: Any) -> list[Any]:
    entries = cloud.journal.read(0, 1 << 40)
    return sorted(value for e in entries for value in world.values_of(read_block(e.data)[2]))


async def test_every_reading_arrives_once_with_its_series_and_leaves_the_buffer(
    site: Site, papers: Papers, world: Any
) -> None:
    store = world.open()
    chunks = [world.chunk(50, new_series=3) for _ in range(20)]
    for chunk in chunks:
        store.commit(chunk).result()
    async with site.serve() as cloud, uplink_to(site, store, papers) as uplink:
        assert await drained(uplink, cloud)
        wanted = sorted(value for chunk in chunks for value in world.values_of(chunk.batch))
        assert history(cloud, world) == wanted
        assert cloud.journal.series("gw-1", 1) == world.entries
        assert store.sync_state().result().oldest_kept == uplink.state.head + 1
        assert uplink.state.line is Line.LIVE
        assert site.heard[-1].status.backlog_rows == 7


async def test_new_chunks_are_sent_when_it_is_woken(site: Site, papers: Papers, world: Any) -> None:
    store = world.open()
    async with site.serve() as cloud, uplink_to(site, store, papers) as uplink:
        await until(lambda: uplink.state.line is Line.LIVE)
        for count in (1, 2, 3):
            store.commit(world.chunk()).result()
            uplink.wake()
            await until(lambda count=count: cloud.journal.head() == count)


async def test_nothing_is_deleted_while_it_is_stored_but_not_archived(
    site: Site, papers: Papers, world: Any
) -> None:
    store = world.open()
    store.commit(world.chunk()).result()
    async with site.serve() as cloud, uplink_to(site, store, papers) as uplink:
        await until(lambda: uplink.state.stored == 1)
        assert not await uplink.drain(0.2)
        assert len(store.blocks_from(1, 1 << 20).result()) == 1
        cloud.archive_all()
        await until(lambda: uplink.state.archived == 1)
        await until(lambda: not store.blocks_from(1, 1 << 20).result())


async def test_a_cloud_that_comes_back_is_found_and_given_what_waited(
    site: Site, papers: Papers, world: Any
) -> None:
    store = world.open()
    async with site.serve():
        pass  # a port that nobody listens on any more
    async with uplink_to(site, store, papers) as uplink:
        store.commit(world.chunk()).result()
        await until(lambda: uplink.state.line is Line.WAITING)
        assert "port open" in uplink.state.hint
        async with site.serve() as cloud:
            assert await drained(uplink, cloud)
            assert (cloud.journal.head(), uplink.state.error) == (1, "")
        await until(lambda: uplink.state.line is Line.WAITING)
        # Its last word is a courtesy: on a busy machine the end of the stream may come first.
        assert "stopped" in uplink.state.error or "ended the session" in uplink.state.error
        store.commit(world.chunk()).result()
        async with site.serve() as cloud:
            assert await drained(uplink, cloud)
            assert cloud.journal.head() == 2


async def test_a_foreign_cloud_is_refused_by_the_gateway(
    site: Site, papers: Papers, world: Any, tmp_path: Path
) -> None:
    foreign = Authority.create(tmp_path / "other", "another cloud")
    async with site.serve(), uplink_to(site, world.open(), papers, ca_pem=foreign.pem) as uplink:
        await until(lambda: uplink.state.line is Line.WAITING)
        assert "not the cloud this gateway enrolled with" in uplink.state.hint


async def test_a_cloud_of_another_name_is_refused_by_the_gateway(
    site: Site, papers: Papers, world: Any
) -> None:
    async with (
        site.serve(),
        uplink_to(site, world.open(), papers, cloud_name="elsewhere") as uplink,
    ):
        await until(lambda: uplink.state.line is Line.WAITING)
        assert "not the cloud this gateway enrolled with" in uplink.state.hint


async def test_a_gateway_of_a_foreign_authority_is_told_to_enrol(
    site: Site, world: Any, tmp_path: Path
) -> None:
    foreign = Authority.create(tmp_path / "other", "another cloud")
    papers = enrol(foreign, "gw-1")
    async with site.serve(), uplink_to(site, world.open(), papers) as uplink:
        await until(lambda: uplink.state.line is Line.WAITING)
        assert "enrol again" in uplink.state.hint
        assert site.heard == []


async def test_a_name_that_is_not_the_certificates_is_refused_by_name(
    site: Site, world: Any
) -> None:
    papers = enrol(site.authority, "cellar")
    async with site.serve(), uplink_to(site, world.open(), papers) as uplink:
        await until(lambda: uplink.state.line is Line.WAITING)
        assert "cellar" in uplink.state.error
        assert "gw-1" in uplink.state.error


async def test_a_revoked_gateway_is_told_so(site: Site, papers: Papers, world: Any) -> None:
    site.barred["gw-1"] = Admission.REVOKED
    async with site.serve(), uplink_to(site, world.open(), papers) as uplink:
        await until(lambda: uplink.state.line is Line.WAITING)
        assert "withdrawn" in uplink.state.error
        assert "token create" in uplink.state.hint


async def test_of_two_agents_with_one_identity_the_older_is_fenced_and_waits_long(
    site: Site, papers: Papers, world: Any
) -> None:
    store = world.open()
    async with site.serve(), uplink_to(site, store, papers) as first:
        await until(lambda: first.state.line is Line.LIVE)
        async with uplink_to(site, store, papers) as second:
            await until(lambda: first.state.line is Line.WAITING)
            assert "fenced" in first.state.error
            assert first.state.retry_s >= FENCED_MIN_S
            assert second.state.line is Line.LIVE


def test_pauses_grow_are_bounded_and_differ_from_gateway_to_gateway() -> None:
    close = Close(pb.CODE_UNSPECIFIED, "", "")
    by_failures = [
        [pause_s(failures, close, random.Random(seed)) for seed in range(50)]
        for failures in (0, 3, 50)
    ]
    assert [max(pauses) for pauses in by_failures] == sorted(max(p) for p in by_failures)
    assert max(by_failures[2]) <= 60
    assert all(len(set(pauses)) == 50 for pauses in by_failures)
    wish = Close(pb.OVERLOADED, "", "", retry_after_ms=90_000)
    assert pause_s(0, wish, random.Random(1)) >= 90


async def test_a_silent_cloud_does_not_hold_up_the_agent(
    site: Site, papers: Papers, world: Any
) -> None:
    silent = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    site.port = silent.sockets[0].getsockname()[1]
    store = world.open()
    async with uplink_to(site, store, papers) as uplink:
        started = time.monotonic()
        store.commit(world.chunk()).result()
        uplink.wake()
        assert not await uplink.drain(0.3)
        assert time.monotonic() - started < DEADLINE_S
    silent.close()
