"""What a stream does when the journal fails or is slow, and how its memory stays bounded."""

import asyncio
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from cloud.errors import StorageError
from cloud.ingest.identity import Authority
from cloud.ingest.service import IngestLimits
from cloud.ingest.stream import ByteBudget, coalesced
from cloud.journal.contract import Journal, JournalOverloadedError
from cloud.journal.cursor import Decision
from protos import sync_pb2 as pb
from protos.series import SeriesKey, encode_entry, make_entry
from tests.sim.client import GATEWAY, Blocks, Client
from tests.sim.site import Papers, Site, enrol, until


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "cloud", Authority.create(tmp_path / "ca", "a test"))


@pytest.fixture
def papers(site: Site) -> Papers:
    return enrol(site.authority, GATEWAY)


class Failing:
    """A journal whose blocks meet this error."""

    def __init__(self, journal: Journal, error: Exception) -> None:
        self.journal, self.error = journal, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)

    def append(self, *_: object) -> Future[Decision]:
        future: Future[Decision] = Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JournalOverloadedError("store", "its queue is full", "wait"), pb.OVERLOADED),
        (StorageError("store", "/secret/path is full"), pb.STORAGE_FAILED),
        (RuntimeError("secret of this program"), pb.CODE_UNSPECIFIED),
    ],
)
async def test_a_journal_that_fails_is_told_without_its_insides(
    site: Site, papers: Papers, error: Exception, code: int
) -> None:
    async with site.serve(lambda journal: Failing(journal, error)) as cloud:  # type: ignore[arg-type]
        async with Client(site, papers) as client:
            blocks = Blocks(*await client.begin())
            await client.say(block=blocks.next())
            fault = (await client.hear()).fault
            assert fault.code == code
            assert "secret" not in fault.message + fault.hint
            assert await client.hear() is None
        await until(lambda: cloud.ingest.waiting_bytes == 0)


class Stalled(Failing):
    """A journal whose disk takes nothing for now."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal, RuntimeError())
        self.asked = 0

    def append(self, *_: object) -> Future[Decision]:
        self.asked += 1
        return Future()


async def test_blocks_read_ahead_of_a_slow_disk_are_bounded_over_all_streams(
    site: Site, papers: Papers
) -> None:
    site.limits = IngestLimits(waiting_bytes_max=1 << 20)
    stalled: list[Stalled] = []

    def stall(journal: Journal) -> Any:
        stalled.append(Stalled(journal))
        return stalled[0]

    async with site.serve(stall) as cloud, Client(site, papers) as client:
        blocks = Blocks(*await client.begin())
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while True:
                await client.say(block=blocks.next(60_000))
                sent += 1

        flooding = asyncio.create_task(flood())
        await until(lambda: cloud.ingest.waiting_bytes > 900_000)
        before = -1
        while before != sent:  # until flow control holds the client
            before = sent
            await asyncio.sleep(0.2)
        assert cloud.ingest.waiting_bytes <= 1 << 20
        assert stalled[0].asked * 50_000 <= 1 << 20
        flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)


class StalledNames(Failing):
    """A journal that takes no names for now."""

    def declare(self, *_: object) -> Future[Decision]:
        return Future()


async def test_declared_names_take_their_bytes_of_the_budget(site: Site, papers: Papers) -> None:
    async with site.serve(lambda journal: StalledNames(journal, RuntimeError())) as cloud:  # type: ignore[arg-type]
        async with Client(site, papers) as client:
            session, epoch = await client.begin()
            entries = [
                encode_entry(make_entry(n, 1, SeriesKey("d" * 250, f"m{n}"), bytes(16)))
                for n in range(1, 801)
            ]
            told = pb.Declare(session=session, epoch=epoch, first=1, entries=entries)
            await client.say(declare=told)
            await until(lambda: cloud.ingest.waiting_bytes > 200_000)
        await until(lambda: cloud.ingest.waiting_bytes == 0)


def test_of_acks_in_a_row_the_last_is_said_and_nothing_changes_its_place() -> None:
    def ack(stored: int, epoch: int = 1) -> pb.CloudMessage:
        return pb.CloudMessage(ack=pb.Ack(epoch=epoch, stored=stored))

    grant = pb.CloudMessage(epoch_grant=pb.EpochGrant(epoch=2))
    said = coalesced([ack(1), ack(2), grant, ack(1, 2), ack(2, 2), ack(3, 3)])
    assert said == [ack(2), grant, ack(2, 2), ack(3, 3)]


def test_an_archived_ack_made_before_a_block_was_stored_does_not_hide_that_it_was() -> None:
    stored = pb.CloudMessage(ack=pb.Ack(session=2, epoch=1, stored=23, archived=5, series_known=8))
    archived = pb.CloudMessage(ack=pb.Ack(session=2, epoch=1, stored=22, archived=9))
    both = pb.CloudMessage(ack=pb.Ack(session=2, epoch=1, stored=23, archived=9, series_known=8))
    assert coalesced([stored, archived]) == [both] == coalesced([archived, stored])


async def test_a_budget_serves_in_turn_and_forgets_who_gave_up() -> None:
    budget = ByteBudget(10)
    await budget.take(8)
    order: list[str] = []

    async def want(name: str, size: int) -> None:
        await budget.take(size)
        order.append(name)

    tasks = [asyncio.create_task(want(n, s)) for n, s in (("big", 9), ("gone", 1), ("small", 1))]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    assert order == []
    budget.give(8)
    await asyncio.gather(tasks[0], tasks[2])
    assert (order, budget.used) == (["big", "small"], 10)


async def test_a_message_bigger_than_the_budget_passes_alone() -> None:
    budget = ByteBudget(10)
    await budget.take(100)
    later = asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    assert not later.done()
    budget.give(100)
    await later
    assert budget.used == 1
