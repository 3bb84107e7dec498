"""The Sync service as a gateway meets it: a bare client, real TLS, a real journal."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from cloud.errors import StorageError
from cloud.ingest.identity import Authority
from cloud.ingest.service import GREETINGS_MAX
from cloud.registry.registry import Admission
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


async def test_blocks_are_acked_when_stored_and_again_when_archived(
    site: Site, papers: Papers
) -> None:
    async with site.serve() as cloud, Client(site, papers) as client:
        blocks = Blocks(*await client.begin())
        for _ in range(3):
            await client.say(block=blocks.next())
        ack = pb.Ack()
        while ack.stored < 3:
            ack = (await client.hear()).ack
        assert (cloud.journal.head(), ack.archived) == (3, 0)
        cloud.archive_all()
        assert (await client.hear()).ack.archived == 3


async def test_what_was_archived_is_told_one_gateway_after_another_or_with_its_next_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.ingest.service.APART_S", 3600.0)
    async with site.serve() as cloud, AsyncExitStack() as clients:
        first, second = [
            await clients.enter_async_context(Client(site, enrol(site.authority, name), name))
            for name in ("gw-1", "gw-2")
        ]
        for client in (first, second):
            blocks = Blocks(*await client.begin(), client.gateway)
            await client.say(block=blocks.next())
            assert (await client.hear()).ack.stored == 1
        cloud.archive_all()
        assert (await first.hear()).ack.archived == 1
        await second.say(block=blocks.next())
        told = (await second.hear()).ack
        assert (told.stored, told.archived) == (2, 1)


async def test_what_was_archived_before_the_hello_is_in_the_resume(
    site: Site, papers: Papers
) -> None:
    async with site.serve() as cloud:
        async with Client(site, papers) as client:
            blocks = Blocks(*await client.begin())
            await client.say(block=blocks.next())
            assert (await client.hear()).ack.stored == 1
        cloud.archive_all()
        async with Client(site, papers) as client:
            last = blocks.sender.blocks[-1]
            resume = (await client.hello(epoch=1, head=1, head_hash=last.hash)).resume
            assert (resume.stored, resume.archived) == (1, 1)


async def test_a_newer_stream_fences_the_older(site: Site, papers: Papers) -> None:
    async with site.serve(), Client(site, papers) as older, Client(site, papers) as newer:
        await older.hello()
        await newer.hello()
        fault = (await older.hear()).fault
        assert fault.code == pb.FENCED
        assert await older.hear() is None
        await until(lambda: site.heard[-1].session == 2)


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"gateway": "cellar"}, pb.NAME_MISMATCH, "cellar"),
        ({"protocol_min": 7, "protocol_max": 9}, pb.PROTOCOL_UNSUPPORTED, "7–9"),
        ({"boot_id": b"short"}, pb.MALFORMED, "hello"),
        ({"head": 5}, pb.MALFORMED, "hello"),
    ],
)
async def test_a_hello_that_cannot_be_is_refused_with_its_reason(
    site: Site, papers: Papers, changes: dict[str, Any], code: int, told: str
) -> None:
    async with site.serve() as cloud, Client(site, papers) as client:
        fault = (await client.hello(**changes)).fault
        assert (fault.code, told in fault.message) == (code, True)
        assert await client.hear() is None
        assert cloud.journal.cursors() in (
            [],
            [c for c in cloud.journal.cursors() if not c.session],
        )


@pytest.mark.parametrize(
    ("admission", "code"),
    [(Admission.REVOKED, pb.REVOKED), (Admission.NOT_ENROLLED, pb.NOT_ENROLLED)],
)
async def test_who_is_not_admitted_is_refused_before_its_hello(
    site: Site, papers: Papers, admission: Admission, code: int
) -> None:
    site.barred[GATEWAY] = admission
    async with site.serve(), Client(site, papers) as client:
        fault = (await client.hear()).fault
        assert fault.code == code
        assert "token create" in fault.hint


async def test_a_registry_that_fails_is_told_as_a_fault_and_not_as_a_crash(
    site: Site, papers: Papers
) -> None:
    async with site.serve() as cloud, Client(site, papers) as client:

        def fail(_: object) -> Admission:
            raise StorageError("read the registry", "the disk is gone")

        cloud.ingest._admit = fail
        assert (await client.hear()).fault.code == pb.STORAGE_FAILED


async def test_streams_that_say_no_hello_are_few_for_one_gateway(
    site: Site, papers: Papers
) -> None:
    async with site.serve() as cloud, AsyncExitStack() as stack:
        for _ in range(GREETINGS_MAX):
            await stack.enter_async_context(Client(site, papers))
        await until(lambda: cloud.ingest._greeting[GATEWAY] == GREETINGS_MAX)
        one_more = await stack.enter_async_context(Client(site, papers))
        assert (await one_more.hear()).fault.code == pb.OVERLOADED


async def test_a_certificate_withdrawn_in_mid_stream_ends_it(site: Site, papers: Papers) -> None:
    async with site.serve() as cloud, Client(site, papers) as client:
        await client.hello()
        standing = dict.fromkeys(cloud.ingest.serials(), Admission.REVOKED)
        assert cloud.ingest.hold_to(standing) == [(GATEWAY, Admission.REVOKED)]
        assert (await client.hear()).fault.code == pb.REVOKED


@pytest.mark.parametrize(
    ("admission", "code"),
    [(Admission.REPLACED, pb.CLONE), (Admission.PAST_ITS_LIFE, pb.RENEWAL_DUE)],
)
async def test_a_session_lasts_no_longer_than_its_own_certificate(
    site: Site, papers: Papers, admission: Admission, code: int
) -> None:
    async with site.serve() as cloud, Client(site, papers) as client:
        await client.hello()
        (serial,) = cloud.ingest.serials()
        assert cloud.ingest.hold_to({"another": admission}) == []
        assert cloud.ingest.hold_to({serial: admission}) == [(GATEWAY, admission)]
        assert (await client.hear()).fault.code == code
        assert await client.hear() is None
        await until(lambda: cloud.ingest.serials() == frozenset())


async def test_a_client_of_a_foreign_authority_gets_no_stream(site: Site, tmp_path: Path) -> None:
    foreign = Authority.create(tmp_path / "other", "another cloud")
    async with site.serve() as cloud, Client(site, enrol(foreign, GATEWAY)) as client:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.hello()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert cloud.journal.cursors() == []


async def test_the_servers_own_certificate_is_no_gateways(site: Site) -> None:
    shown = site.authority.server(("localhost",))
    papers = Papers(shown.certificate_pem, shown.key_pem)
    async with site.serve() as cloud, Client(site, papers) as client:
        with pytest.raises(grpc.aio.AioRpcError):  # it is for servers, so TLS already refuses it
            await client.hello()
        assert cloud.journal.cursors() == []


LABELS = tuple((f"{n:02}" + "k" * 240, "v" * 250) for n in range(32))
SOUND_BUT_TOO_MUCH = [
    encode_entry(make_entry(n, 1, SeriesKey("d", f"m{n}", LABELS), bytes(16))) for n in range(1, 18)
]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            {"declare": pb.Declare(session=1, epoch=1, first=1, entries=SOUND_BUT_TOO_MUCH)},
            pb.MALFORMED,
        ),
        ({"block": pb.BlockData(session=1, epoch=1, seq=1, data=b"no block")}, pb.MALFORMED),
        ({"declare": pb.Declare(session=1, epoch=1, first=1, entries=[b"\xff"])}, pb.MALFORMED),
        ({"hello": pb.Hello()}, pb.OUT_OF_ORDER),
        ({"block": pb.BlockData(session=9, epoch=1, seq=1)}, pb.MALFORMED),
    ],
)
async def test_nonsense_in_mid_stream_is_answered_with_a_fault_and_the_end(
    site: Site, papers: Papers, body: dict[str, Any], code: int
) -> None:
    async with site.serve() as cloud, Client(site, papers) as client:
        await client.begin()
        await client.say(**body)
        assert (await client.hear()).fault.code == code
        assert await client.hear() is None
        assert cloud.journal.head() == 0


async def test_a_message_beyond_the_limit_ends_the_stream(site: Site, papers: Papers) -> None:
    async with site.serve() as cloud, Client(site, papers) as client:
        await client.begin()
        await client.say(block=pb.BlockData(session=1, epoch=1, seq=1, data=bytes(3 << 20)))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.hear()
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert cloud.journal.head() == 0


async def test_a_gateway_that_leaves_is_noted(site: Site, papers: Papers) -> None:
    async with site.serve() as cloud:
        async with Client(site, papers) as client:
            await client.hello()
            await client.say(status=pb.Status(backlog_rows=5))
            await until(lambda: cloud.ingest.presence[GATEWAY].status.backlog_rows == 5)
            assert cloud.ingest.presence[GATEWAY].session == 1
        await until(lambda: cloud.ingest.presence[GATEWAY].session == 0)


async def test_a_server_that_stops_says_so(site: Site, papers: Papers) -> None:
    async with site.serve() as cloud, Client(site, papers) as client:
        await client.hello()
        await cloud.ingest.close()
        assert (await client.hear()).fault.code == pb.SHUTTING_DOWN
