"""An uplink that saves bytes: a real buffer, real TLS, a real cloud, a line that is counted."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud.ingest.identity import Authority
from edge.chunk import Chunk
from edge.clock import Clock
from edge.settings_budget import Profile, as_profiled
from edge.settings_budget import Uplink as Settings
from edge.spending import Spending
from edge.sync_effects import Allowed
from edge.uplink import Uplink
from edge.uplink_channel import Endpoint
from edge.uplink_saver import Saver
from edge.uplink_state import Line
from protos import sync_pb2 as pb
from protos.block import read_block
from protos.records import Kind, concat, scores
from tests.edge.test_spending import config
from tests.sim.site import Papers, Running, Site, enrol, until

METERED = as_profiled(Settings(profile=Profile.METERED))


class Seconds:
    """The clock of the waits; real connections have the real one."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def anomalous(world: Any) -> Chunk:
    """The next readings, and an anomaly among them."""
    batch = world.batch(4)
    found = scores([1], [world.told], [1.0], [9.0], [3.0], ["residual 1"])
    return Chunk(concat([batch, found]))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "cloud", Authority.create(tmp_path / "ca", "a test"))


@pytest.fixture
def papers(site: Site) -> Papers:
    return enrol(site.authority, "gw-1")


@asynccontextmanager
async def metered(
    site: Site, store: Any, papers: Papers, saver: Saver, spending: Spending
) -> AsyncIterator[Uplink]:
    endpoint = Endpoint(
        f"127.0.0.1:{site.port}", "localhost", site.authority.pem, papers.certificate_pem,
        papers.key_pem, keepalive_s=METERED.keepalive_s,
    )  # fmt: skip
    spending.ports = endpoint.ports
    uplink = Uplink(
        gateway="gw-1", endpoint=endpoint, buffer=store, clock=Clock(boot_id=bytes(16)),
        agent_version="a test", report=pb.Status, chance=random.Random(1), saver=saver,
    )  # fmt: skip
    task = asyncio.create_task(uplink.run())
    try:
        await until(lambda: uplink.state.line is Line.LIVE)
        yield uplink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def rows(cloud: Running) -> list[dict[Kind, int]]:
    """What each block of the journal holds, by kind."""
    batches = [read_block(entry.data)[2] for entry in cloud.journal.read(0, 1 << 40)]
    return [{kind: batch.count(kind) for kind in Kind if batch.count(kind)} for batch in batches]


def readings(cloud: Running) -> int:
    return sum(one.get(Kind.NUMBERS, 0) + one.get(Kind.TEXTS, 0) for one in rows(cloud))


async def test_readings_wait_and_go_in_one_block_and_anomalies_go_at_once(
    site: Site, papers: Papers, world: Any, tmp_path: Path
) -> None:
    store, clock, spending = world.open(), Seconds(), Spending(config(tmp_path))
    saver = Saver(METERED, spending, clock)
    async with site.serve() as cloud, metered(site, store, papers, saver, spending) as uplink:
        for count in range(30):
            store.commit(world.chunk(5, new_series=int(count == 0))).result()
            uplink.wake()
        store.commit(anomalous(world)).result()
        uplink.wake(urgent=True)
        await until(lambda: cloud.journal.head() == 1)
        assert Kind.SCORES in rows(cloud)[0]
        await asyncio.sleep(2.2)  # two looks more: nothing follows by itself
        assert cloud.journal.head() == 1
        clock.now_s = METERED.linger_s + 1
        await until(lambda: cloud.journal.head() == 2)
        assert rows(cloud)[1] == {Kind.NUMBERS: 150}
        store.commit(world.chunk(5)).result()
        uplink.wake()
        await asyncio.sleep(2.2)
        assert cloud.journal.head() == 2, "the next wait begins"
        draining = asyncio.create_task(uplink.drain(30.0))  # but a stop sends what there is
        while not draining.done():
            cloud.archive_all()
            await asyncio.wait([draining], timeout=0.05)
        assert draining.result()
        assert cloud.journal.head() == 3


LIMIT = 120_000
"""Its last tenth, for anomalies, is more than what is sent between two looks at what was spent."""


async def test_at_the_limit_everything_waits_and_nothing_is_lost(
    site: Site, papers: Papers, world: Any, tmp_path: Path
) -> None:
    store, clock = world.open(), Seconds()
    spending = Spending(config(tmp_path), clock)
    limited = msgspec.structs.replace(as_profiled(Settings()), bytes_per_day_max=LIMIT)
    saver = Saver(limited, spending, clock)
    async with site.serve() as cloud, metered(site, store, papers, saver, spending) as uplink:
        sent = 0
        while uplink.state.allowed is Allowed.ALL:
            store.commit(world.chunk(200, new_series=int(sent == 0))).result()
            sent += 200
            uplink.wake()
            await asyncio.sleep(0.3)
            assert sent < 200_000, "a limit that never came"
            spending.look()
        store.commit(world.chunk(200)).result()
        sent += 200
        uplink.wake()
        await asyncio.sleep(1.5)
        head = cloud.journal.head()
        store.commit(anomalous(world)).result()
        uplink.wake(urgent=True)
        await until(lambda: any(Kind.SCORES in one for one in rows(cloud)[head:]))
        spending.look()
        assert spending.line_day_bytes < 1.1 * LIMIT
        waiting = store.stats().result().unsealed_rows
        assert waiting >= 200
        clock.now_s = 25 * 3600.0  # a day later
        await until(lambda: store.stats().result().unsealed_rows == 0)
        assert uplink.state.allowed is Allowed.ALL
        await until(lambda: readings(cloud) == sent + 4)
