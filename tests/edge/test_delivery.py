"""A renewed certificate over real mutual TLS, a real cloud, a real home, and crashes on the way."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloud.ingest.identity import Authority, read_gateway_certificate
from cloud.ingest.renewal import RenewalDesk
from cloud.registry.registry import Admission, CertificateRow, Registry, TokenRow
from edge import config as edge_config
from edge import delivery as delivery_module
from edge import identity, identity_next
from edge.clock import Clock
from edge.commands.status import from_disk
from edge.config import EdgeConfig
from edge.delivery import Delivery
from edge.errors import StorageError
from edge.uplink_state import Line
from protos import sync_pb2 as pb
from tests.sim.site import Running, Site, until

DAY_US = 86_400_000_000
LIFE_US = 100 * DAY_US


@dataclass
class World:
    """A cloud with a registry, and one enrolled home; ``ahead_us`` puts the cloud's clock on."""

    site: Site
    registry: Registry
    config: EdgeConfig
    buffer: Any
    ahead_us: int = 0

    @property
    def folder(self) -> Path:
        return self.config.identity_folder

    def now_us(self) -> int:
        return time.time_ns() // 1000 + self.ahead_us

    def shown(self) -> str:
        """The serial of the certificate in the home."""
        return read_gateway_certificate(identity.load(self.folder, "gw-1").certificate_pem).serial

    def in_use(self) -> list[str]:
        """Serials that the registry takes and that were shown."""
        sql = "SELECT serial FROM certificates WHERE revoked_us IS NULL AND shown_us IS NOT NULL"
        return [row["serial"] for row in self.registry._rows(sql)]

    def recorded(self) -> tuple[int, int]:
        """Renewals, and the life of the certificate in use, as kept in the home."""
        kept = identity_next.read_record(self.config.renewal_path)
        return kept.renewals, kept.life_us

    @asynccontextmanager
    async def delivering(self, home: EdgeConfig | None = None) -> AsyncIterator[Delivery]:
        clock = Clock(boot_id=bytes(16))
        delivery = Delivery(home or self.config, clock, self.buffer, lambda: pb.Status())
        task = asyncio.create_task(delivery.run())
        try:
            yield delivery
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def live(self, delivery: Delivery) -> None:
        await until(lambda: delivery.uplink and delivery.uplink.state.line is Line.LIVE)


@pytest.fixture
def world(tmp_path: Path, world: Any) -> World:
    """The buffer is the store of the fixture of the same name."""
    authority = Authority.create(tmp_path / "ca", "a test")
    site = Site(tmp_path / "cloud", authority)
    home = tmp_path / "edge"
    home.mkdir()
    (home / edge_config.FILE_NAME).write_text('[gateway]\nname = "gw-1"\n')
    made = World(
        site,
        Registry.open(tmp_path / "registry.db", LIFE_US),
        edge_config.load(home),
        world.open(),
    )
    site.desk = RenewalDesk(authority, made.registry, made.now_us)
    csr = identity_next.request(made.folder, "gw-1")
    signed = authority.sign(csr, "gw-1")
    token = TokenRow("aa", "gw-1", b"h" * 32, 0, 1)
    made.registry.add_token(token)
    row = (signed.serial, signed.name, signed.key_sha256, signed.der)
    made.registry.grant(token, CertificateRow(*row, made.now_us(), signed.not_after_us))
    made.folder.mkdir()
    (made.folder / "ca.crt").write_bytes(authority.pem)
    (made.folder / "cloud.toml").write_text('sync_address = "x:1"\ncloud_name = "localhost"\n')
    identity_next.keep(made.folder, "gw-1", signed.der)
    identity_next.promote(made.folder)
    return made


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[Running]:
    async with world.site.serve() as cloud:
        text = f'[gateway]\nname = "gw-1"\n\n[cloud]\naddress = "127.0.0.1:{world.site.port}"\n'
        world.config.settings_path.write_text(text)
        world.config = edge_config.load(world.config.home)
        yield cloud


async def test_a_library_that_does_not_load_is_told_once_and_delivery_begins_when_it_does(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    links = delivery_module.LINKS
    monkeypatch.setattr(delivery_module, "LOAD_S", 0.0)
    monkeypatch.setattr(delivery_module, "LINKS", ("a_library_that_is_gone",))
    told = "could not load the library a_library_that_is_gone"
    async with serving(world), world.delivering() as delivery:
        await until(lambda: told in caplog.text)
        monkeypatch.setattr(delivery_module, "LINKS", links)  # the wait stays none: one may be due
        await world.live(delivery)
    assert caplog.text.count(told) == 1


async def test_an_operators_wish_brings_a_new_key_without_a_restart(world: World) -> None:
    first, key = world.shown(), (world.folder / "gateway.key").read_bytes()
    async with serving(world) as cloud, world.delivering() as delivery:
        await world.live(delivery)
        world.registry.ask_renewal("gw-1", world.now_us())
        cloud.ingest.remind(world.registry.renewals_asked())
        await until(lambda: world.shown() != first)
        await world.live(delivery)
        assert world.in_use() == [world.shown()]
        assert (world.folder / "gateway.key").read_bytes() != key
        assert (world.folder / "gateway.key").stat().st_mode & 0o777 == 0o600
        assert world.registry.renewals_asked() == []
        await until(lambda: delivery.renewal and delivery.renewal.left_us(0))
        assert abs(delivery.not_after_us - world.now_us() - LIFE_US) < DAY_US
        await until(lambda: world.recorded() == (1, LIFE_US))
    assert sorted(path.name for path in world.config.home.glob("identity*")) == ["identity"]


def test_no_life_is_shown_before_the_cloud_said_how_long_a_certificate_serves(world: World) -> None:
    told = from_disk(world.config).cloud
    assert (told.enrolled, told.certificate_not_after_us) == (True, 0)


async def test_a_gateway_away_beyond_the_life_of_its_certificate_comes_back(world: World) -> None:
    first = world.shown()
    world.ahead_us = 3 * LIFE_US
    async with serving(world), world.delivering() as delivery:
        await until(lambda: world.shown() != first)
        await world.live(delivery)
        assert world.in_use() == [world.shown()]


async def test_a_life_that_ends_in_mid_session_ends_it_and_brings_its_renewal(world: World) -> None:
    first = world.shown()
    async with serving(world) as cloud, world.delivering() as delivery:
        await world.live(delivery)
        await until(lambda: delivery.renewal and delivery.renewal.left_us(0))
        standing = world.registry.standing(cloud.ingest.serials(), world.now_us())
        assert cloud.ingest.hold_to(standing) == []
        world.ahead_us = LIFE_US + DAY_US
        standing = world.registry.standing(cloud.ingest.serials(), world.now_us())
        assert cloud.ingest.hold_to(standing) == [("gw-1", Admission.PAST_ITS_LIFE)]
        await until(lambda: world.shown() != first)
        await world.live(delivery)
        assert world.in_use() == [world.shown()]


async def test_a_cut_between_the_answer_and_its_use_leaves_one_that_works(world: World) -> None:
    first = world.shown()
    request = identity_next.request(world.folder, "gw-1")
    shown = read_gateway_certificate(identity.load(world.folder, "gw-1").certificate_pem)
    assert world.site.desk is not None
    answer = world.site.desk.renew(shown, request)
    identity_next.keep(world.folder, "gw-1", answer.certificate_der)
    assert world.shown() == first
    async with serving(world), world.delivering() as delivery:
        await until(lambda: world.shown() != first)
        await world.live(delivery)
        assert world.in_use() == [world.shown()]


async def test_a_renewed_certificate_that_is_refused_gives_way_to_the_one_before(
    world: World,
) -> None:
    first = world.shown()
    request = identity_next.request(world.folder, "gw-1")
    shown = read_gateway_certificate(identity.load(world.folder, "gw-1").certificate_pem)
    assert world.site.desk is not None
    answer = world.site.desk.renew(shown, request)
    fresh = identity_next.keep(world.folder, "gw-1", answer.certificate_der)
    with world.registry.transaction():
        serial = read_gateway_certificate(fresh.certificate_pem).serial
        world.registry._connection.execute(
            "UPDATE certificates SET revoked_us = 1, revoked_why = 'x' WHERE serial = ?", (serial,)
        )
    async with serving(world), world.delivering() as delivery:
        await world.live(delivery)
        assert world.shown() == first
        assert not identity_next.next_folder(world.folder).exists()


async def test_the_copy_of_a_card_that_was_renewed_is_told(world: World, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    async with serving(world) as cloud:
        shutil.copytree(world.config.home, copy)
        async with world.delivering() as delivery:
            await world.live(delivery)
            world.registry.ask_renewal("gw-1", world.now_us())
            cloud.ingest.remind(["gw-1"])
            await until(lambda: delivery.renewal and delivery.renewal.renewals == 1)
        async with world.delivering(edge_config.load(copy)) as twin:
            await until(lambda: twin.uplink and twin.uplink.state.error)
            assert twin.uplink is not None
            assert twin.uplink.state.code == pb.CLONE
            assert "enroll --replace" in twin.uplink.state.hint


@pytest.mark.parametrize("step", range(5))
def test_a_crash_at_any_step_of_taking_it_leaves_an_identity(
    world: World, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Renames and removals of folders, one by one."""
    first = world.shown()
    shown = read_gateway_certificate(identity.load(world.folder, "gw-1").certificate_pem)
    assert world.site.desk is not None
    answer = world.site.desk.renew(shown, identity_next.request(world.folder, "gw-1"))
    fresh = identity_next.keep(world.folder, "gw-1", answer.certificate_der)
    done = []

    def or_die(real: Any) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            if len(done) == step:
                raise KeyboardInterrupt
            done.append(args)
            return real(*args, **more)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", or_die(Path.rename))
        patched.setattr(shutil, "rmtree", or_die(shutil.rmtree))
        with suppress(KeyboardInterrupt):
            identity_next.promote(world.folder)
    second = read_gateway_certificate(fresh.certificate_pem).serial
    assert world.shown() in (first, second)
    coming = identity_next.found(world.folder, "gw-1")
    assert coming is not None or world.shown() == second


def test_a_lost_answer_is_asked_for_again_with_the_same_key(world: World) -> None:
    assert world.site.desk is not None
    shown = read_gateway_certificate(identity.load(world.folder, "gw-1").certificate_pem)
    first = world.site.desk.renew(shown, identity_next.request(world.folder, "gw-1"))
    again = world.site.desk.renew(shown, identity_next.request(world.folder, "gw-1"))
    assert first.certificate_der == again.certificate_der


def test_a_disk_that_is_full_leaves_the_identity_in_use(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    request = identity_next.request(world.folder, "gw-1")
    shown = read_gateway_certificate(identity.load(world.folder, "gw-1").certificate_pem)
    assert world.site.desk is not None
    answer = world.site.desk.renew(shown, request)
    first = world.shown()
    monkeypatch.setattr(identity_next, "put", full)
    with pytest.raises(StorageError):
        identity_next.keep(world.folder, "gw-1", answer.certificate_der)
    assert world.shown() == first
    assert identity_next.found(world.folder, "gw-1") is None
