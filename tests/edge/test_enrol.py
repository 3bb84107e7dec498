"""Enrolment over real gRPC and TLS on loopback: one success, and every refusal by its name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cloud.config import CloudConfig
from cloud.ingest.enrolment import create_token, enrolment_server
from cloud.ingest.identity import Authority, read_gateway_certificate
from cloud.registry.registry import Admission, Registry
from cloud.settings import CloudSettings
from edge import config as edge_config
from edge.cli import console
from edge.config import EdgeConfig
from edge.enrol import enrol, parse_token
from edge.errors import OperatorError, PeerError, TidegateError, UnreachableError
from edge.identity import KEY_FILE, Identity, load, pending_key
from protos.settings import read_settings
from protos.token import Token

HOUR_US = 3_600_000_000
START_US = 1_800_000_000_000_000


def cloud_config(home: Path, failures: int, listen: str) -> CloudConfig:
    text = (
        f'[listen]\nenrol = "{listen}:0"\nsync = "127.0.0.1:7001"\nhosts = ["127.0.0.1"]\n'
        f"[enrolment]\nfailures_per_minute_max = {failures}\n"
    )
    return CloudConfig(home, read_settings(text, CloudSettings))


@dataclass
class Cloud:
    """A running enrolment service and its clock."""

    config: CloudConfig
    authority: Authority
    registry: Registry
    now_us: int = START_US
    port: int = 0

    def token(self, gateway: str = "pump-1") -> Token:
        made = create_token(
            self.config, self.authority, self.registry, gateway, self.now_us, HOUR_US
        )
        return replace(made, address=f"127.0.0.1:{self.port}")

    def outcomes(self) -> list[str]:
        return [str(row["outcome"]) for row in self.registry.audit_rows()]


@asynccontextmanager
async def running(
    home: Path, failures: int = 10, listen: str = "127.0.0.1"
) -> AsyncIterator[Cloud]:
    config = cloud_config(home, failures, listen)
    authority = Authority.create(config.authority_folder, "a test")
    made = Cloud(config, authority, Registry.open(config.registry_path))
    server, made.port = enrolment_server(config, authority, made.registry, lambda: made.now_us)
    await server.start()
    try:
        yield made
    finally:
        await server.stop(0)
        made.registry.close()


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with running(tmp_path / "cloud") as made:
        yield made


@pytest.fixture
def edge(tmp_path: Path) -> EdgeConfig:
    home = tmp_path / "edge"
    home.mkdir()
    (home / edge_config.FILE_NAME).write_text('[gateway]\nname = "pump-1"\n')
    return edge_config.load(home)


async def ask(token: Token, edge: EdgeConfig, *, replace: bool = False) -> Identity:
    return await asyncio.to_thread(enrol, token, edge, "1.0", replace=replace)


async def refused(token: Token, edge: EdgeConfig, *, replace: bool = False) -> TidegateError:
    with pytest.raises(TidegateError) as caught:
        await ask(token, edge, replace=replace)
    assert caught.value.hint
    return caught.value


async def test_a_token_becomes_an_identity(cloud: Cloud, edge: EdgeConfig) -> None:
    identity = await ask(cloud.token(), edge)
    assert identity == load(edge.identity_folder, "pump-1")
    assert identity.name == "pump-1"
    assert identity.sync_address == "127.0.0.1:7001"
    assert identity.cloud_name == "127.0.0.1"
    identity.require_valid(START_US)
    identity.require_valid(0)
    shown = read_gateway_certificate(identity.certificate_pem)
    assert cloud.registry.admission(shown, START_US) is Admission.ADMITTED
    assert (edge.identity_folder / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert cloud.outcomes() == ["enrolled"]


async def test_a_wrong_token_is_refused_without_saying_what_is_wrong(
    cloud: Cloud, edge: EdgeConfig
) -> None:
    good = cloud.token()
    for wrong in (replace(good, secret=bytes(32)), replace(good, id=bytes(8))):
        error = await refused(wrong, edge)
        assert isinstance(error, PeerError)
        assert error.cause == "the token is not one of this cloud"
        assert "token create" in error.hint
    assert cloud.outcomes() == ["refused: the token is not one of this cloud"] * 2
    assert (await ask(good, edge)).name == "pump-1"


async def test_a_used_token_is_refused_to_any_other_key(cloud: Cloud, edge: EdgeConfig) -> None:
    token = cloud.token()
    first = await ask(token, edge)
    error = await refused(token, edge, replace=True)
    assert isinstance(error, PeerError)
    assert error.cause == "the token for 'pump-1' was used already"
    assert load(edge.identity_folder, "pump-1") == first


async def test_an_answer_lost_on_the_way_can_be_asked_for_again(
    cloud: Cloud, edge: EdgeConfig, tmp_path: Path
) -> None:
    token = cloud.token()
    key = pending_key(edge.identity_folder).private_numbers()
    first = await ask(token, edge)
    # The same key in another home stands for a gateway that never saw the answer.
    home = tmp_path / "again"
    (home / "identity.new").mkdir(parents=True)
    (home / "identity.new" / KEY_FILE).write_bytes(first.key_pem)
    second = await ask(token, EdgeConfig(home, edge.settings))
    assert second.certificate_pem == first.certificate_pem
    assert pending_key(tmp_path / "x").private_numbers() != key


async def test_an_expired_token_is_refused(cloud: Cloud, edge: EdgeConfig) -> None:
    token = cloud.token()
    cloud.now_us += HOUR_US
    error = await refused(token, edge)
    assert error.cause == "the token for 'pump-1' has expired"


async def test_a_revoked_token_is_refused(cloud: Cloud, edge: EdgeConfig) -> None:
    token = cloud.token()
    cloud.registry.revoke_tokens(token.id.hex(), cloud.now_us)
    assert (await refused(token, edge)).cause == "the token for 'pump-1' was revoked"


async def test_a_token_for_another_name_is_refused_on_both_sides(
    cloud: Cloud, edge: EdgeConfig
) -> None:
    error = await refused(cloud.token("pump-2"), edge)
    assert isinstance(error, PeerError)
    assert error.cause == "the token is for 'pump-2', not for 'pump-1'"
    assert "make a token for that name" in error.hint
    assert cloud.outcomes() == [f"refused: {error.cause}"]


async def test_a_server_of_another_authority_is_told_nothing(
    cloud: Cloud, edge: EdgeConfig, tmp_path: Path
) -> None:
    foreign = Authority.create(tmp_path / "foreign", "another")
    error = await refused(replace(cloud.token(), ca_der=foreign.der), edge)
    assert isinstance(error, PeerError)
    assert "does not belong to the cloud that made the token" in error.cause
    assert cloud.outcomes() == []


async def test_who_asked_is_noted_as_people_write_it(
    tmp_path: Path, edge: EdgeConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        async with running(tmp_path / "cloud", listen="[::1]") as cloud:
            await ask(replace(cloud.token(), address=f"[::1]:{cloud.port}"), edge)
            (row,) = cloud.registry.audit_rows()
    assert "ipv6:[::1]:" in str(row)
    assert "enrolment of 'pump-1' from ipv6:[::1]:" in caplog.text
    assert "%5B" not in str(row) + caplog.text


async def test_a_server_under_another_name_is_refused(tmp_path: Path, edge: EdgeConfig) -> None:
    async with running(tmp_path / "cloud", listen="0.0.0.0") as cloud:
        error = await refused(replace(cloud.token(), address=f"127.0.0.2:{cloud.port}"), edge)
    assert isinstance(error, PeerError)
    assert "certificate is not for 127.0.0.2" in error.cause
    assert "listen.hosts" in error.hint


async def test_a_cloud_that_is_away_is_called_away(cloud: Cloud, edge: EdgeConfig) -> None:
    error = await refused(replace(cloud.token(), address="127.0.0.1:9"), edge)
    assert isinstance(error, UnreachableError)
    assert error.cause == "connection refused"


async def test_an_enrolled_gateway_stays_so_unless_told_otherwise(
    cloud: Cloud, edge: EdgeConfig
) -> None:
    first = await ask(cloud.token(), edge)
    error = await refused(cloud.token(), edge)
    assert isinstance(error, OperatorError)
    assert "--replace" in error.hint
    second = await ask(cloud.token(), edge, replace=True)
    assert second.key_pem != first.key_pem
    assert load(edge.identity_folder, "pump-1") == second
    old, new = (read_gateway_certificate(one.certificate_pem) for one in (first, second))
    assert cloud.registry.admission(old, START_US) is Admission.REVOKED
    assert cloud.registry.admission(new, START_US) is Admission.ADMITTED


async def test_enrolling_anew_does_not_touch_the_buffer(cloud: Cloud, edge: EdgeConfig) -> None:
    edge.buffer_path.write_bytes(b"readings")
    await ask(cloud.token(), edge)
    await ask(cloud.token(), edge, replace=True)
    assert edge.buffer_path.read_bytes() == b"readings"


async def test_an_address_that_keeps_failing_has_to_wait(tmp_path: Path, edge: EdgeConfig) -> None:
    async with running(tmp_path / "cloud", failures=2) as cloud:
        good = cloud.token()
        for _ in range(2):
            await refused(replace(good, secret=bytes(32)), edge)
        error = await refused(good, edge)
        assert error.cause == "too many refused attempts from this address"
        cloud.now_us += 60_000_000
        assert (await ask(good, edge)).name == "pump-1"


@pytest.mark.parametrize("paste", ["", "hello", "tg1-abc", "tg1-####"])
def test_a_bad_paste_is_told_before_anything_is_asked(paste: str) -> None:
    with pytest.raises(OperatorError, match="paste the whole line"):
        parse_token(paste)


def guessed_home(tmp_path: Path) -> Path:
    home = tmp_path / "guessed"
    assert console().call(["--home", str(home), "init"]) == 0
    return home


async def test_a_guessed_name_gives_way_to_the_tokens_once_the_cloud_agreed(
    cloud: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, line = guessed_home(tmp_path), cloud.token("well-7").line()
    call = console().call
    assert await asyncio.to_thread(call, ["--home", str(home), "enroll", line]) == 0
    assert "this gateway is now called well-7, as the token says" in capsys.readouterr().out
    assert edge_config.load(home).name == "well-7"
    assert load(home / "identity", "well-7").name == "well-7"


async def test_a_guessed_name_stays_once_something_is_kept_under_it(
    cloud: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, line = guessed_home(tmp_path), cloud.token("well-7").line()
    (home / "buffer.db").touch()
    name = edge_config.load(home).name
    call = console().call
    assert await asyncio.to_thread(call, ["--home", str(home), "enroll", line]) == 4
    assert "now called" not in capsys.readouterr().out
    assert edge_config.load(home).name == name


async def test_a_copy_is_renamed_with_what_it_holds(
    cloud: Cloud, edge: EdgeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(enrol, cloud.token(), edge, "test")
    (edge.home / "buffer.db").touch()
    call = console().call
    for name, buffer_name in (("well-7", "pump-1"), ("well-8", "pump-1")):
        line = cloud.token(name).line()
        words = ["--home", str(edge.home), "enroll", "--rename", line]
        assert await asyncio.to_thread(call, words) == 0
        assert f"this gateway is now called {name}" in capsys.readouterr().out
        config = edge_config.load(edge.home)
        assert (config.name, config.buffer_name) == (name, buffer_name)
        assert load(edge.home / "identity", name).name == name
