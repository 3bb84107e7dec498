"""Models on a real stream: offered, fetched between blocks, never in an acknowledgement's way."""

import threading
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from cloud.errors import StorageError
from cloud.ingest.identity import Authority
from protos import sync_pb2 as pb
from protos.limits import MODEL_PIECE_BYTES_MAX
from tests.sim.client import GATEWAY, Blocks, Client
from tests.sim.site import Papers, Site, enrol, until

PACKAGE = Random(7).randbytes(5 * MODEL_PIECE_BYTES_MAX + 77)
HASH = sha256(PACKAGE).digest()


class Shelf:
    """One offered package on a disk that may be slow or gone."""

    def __init__(self) -> None:
        self.may_read = threading.Event()
        self.may_read.set()
        self.is_gone = False
        self.version = "1"
        self.said: list[pb.ModelReport] = []

    def offers(self, gateway: str) -> pb.ModelOffers:
        offer = pb.ModelOffer(
            rollout=1, name="m", version=self.version, sha256=HASH, size=len(PACKAGE),
            stage=pb.MODEL_SHADOW,
        )  # fmt: skip
        return pb.ModelOffers(offers=[offer])

    def read(self, sha256: bytes, offset: int, length: int) -> bytes:
        assert self.may_read.wait(20)
        if self.is_gone:
            raise StorageError("read the package", "the disk is gone", "")
        return PACKAGE[offset : offset + length]

    def reported(self, gateway: str, report: pb.ModelReport) -> None:
        self.said.append(report)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def site(tmp_path: Path, shelf: Shelf) -> Site:
    return Site(tmp_path / "cloud", Authority.create(tmp_path / "ca", "a test"), models=shelf)


@pytest.fixture
def papers(site: Site) -> Papers:
    return enrol(site.authority, GATEWAY)


async def begun(client: Client) -> tuple[int, int]:
    """Session and epoch, past the offers."""
    session = (await client.hello()).resume.session
    offers = (await client.hear()).model_offers
    assert (offers.session, offers.offers[0].sha256) == (session, HASH)
    await client.say(epoch_request=pb.EpochRequest(session=session))
    return session, (await client.hear()).epoch_grant.epoch


async def test_a_package_is_fetched_piece_by_piece_while_blocks_are_acknowledged(
    site: Site, papers: Papers
) -> None:
    async with site.serve(), Client(site, papers) as client:
        session, epoch = await begun(client)
        blocks, held, stored = Blocks(session, epoch), b"", 0
        while len(held) < len(PACKAGE) or stored < len(blocks.sender.blocks):
            if len(held) < len(PACKAGE):
                ask = pb.ModelAsk(session=session, sha256=HASH, offset=len(held))
                await client.say(model_ask=ask)
                await client.say(block=blocks.next(20_000))
                is_piece = False
                while not is_piece:
                    message = await client.hear()
                    is_piece = message.HasField("model_piece")
                    stored = max(stored, message.ack.stored)
                assert len(message.model_piece.data) <= MODEL_PIECE_BYTES_MAX
                held += message.model_piece.data
            else:
                stored = max(stored, (await client.hear()).ack.stored)
        assert held == PACKAGE


async def test_no_acknowledgement_waits_for_a_package_on_a_slow_disk(
    site: Site, papers: Papers, shelf: Shelf
) -> None:
    async with site.serve(), Client(site, papers) as client:
        session, epoch = await begun(client)
        shelf.may_read.clear()
        await client.say(model_ask=pb.ModelAsk(session=session, sha256=HASH))
        blocks = Blocks(session, epoch)
        for number in range(1, 6):
            await client.say(block=blocks.next())
            assert (await client.hear()).ack.stored == number
        shelf.may_read.set()
        assert (await client.hear()).model_piece.data == PACKAGE[:MODEL_PIECE_BYTES_MAX]


async def test_what_cannot_be_had_is_refused_and_the_session_goes_on(
    site: Site, papers: Papers, shelf: Shelf
) -> None:
    async with site.serve(), Client(site, papers) as client:
        session, epoch = await begun(client)
        shelf.is_gone = True
        await client.say(model_ask=pb.ModelAsk(session=session, sha256=HASH))
        assert "the disk is gone" in (await client.hear()).model_piece.refused
        await client.say(model_ask=pb.ModelAsk(session=session, sha256=bytes(32)))
        assert "not offered" in (await client.hear()).model_piece.refused
        await client.say(block=Blocks(session, epoch).next())
        assert (await client.hear()).ack.stored == 1


async def test_offers_that_change_are_told_at_once_and_the_same_are_not_told_again(
    site: Site, papers: Papers, shelf: Shelf
) -> None:
    async with site.serve() as cloud, Client(site, papers) as client:
        await begun(client)
        cloud.ingest.offer()
        shelf.version = "2"
        cloud.ingest.offer()
        assert (await client.hear()).model_offers.offers[0].version == "2"


async def test_what_a_gateway_runs_is_heard_and_a_report_of_another_session_is_not(
    site: Site, papers: Papers, shelf: Shelf
) -> None:
    async with site.serve(), Client(site, papers) as client:
        session, _ = await begun(client)
        for number in (session + 1, session):
            models = [pb.ModelBehaviour(name="m", alarms=number)]
            await client.say(model_report=pb.ModelReport(session=number, models=models))
        await until(lambda: shelf.said)
        assert [one.session for one in shelf.said] == [session]


async def test_a_cloud_without_models_ends_a_session_that_asks_for_one_as_an_old_one_does(
    site: Site, papers: Papers
) -> None:
    site.models = None
    async with site.serve(), Client(site, papers) as client:
        session, _ = await client.begin()
        await client.say(model_ask=pb.ModelAsk(session=session, sha256=HASH))
        assert (await client.hear()).fault.code == pb.OUT_OF_ORDER
