"""The enrolment desk: requests no honest gateway sends, and the limit on attempts."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud.access.attempts import MINUTE_US, SOURCES_MAX
from cloud.config import CloudConfig
from cloud.errors import OperatorError
from cloud.ingest.enrolment import (
    HINT_KEY,
    AttemptLimit,
    Desk,
    RefusedError,
    create_token,
    enrolment_server,
)
from cloud.ingest.identity import Authority
from cloud.registry.registry import Registry
from cloud.settings import CloudSettings
from protos import sync_pb2, sync_pb2_grpc
from protos.limits import ENROL_BYTES_MAX, PROTOCOL_MAX
from protos.settings import read_settings
from protos.token import Token

NOW_US = 1_800_000_000_000_000
HOUR_US = 3_600_000_000


def csr(name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


@pytest.fixture
def config(tmp_path: Path) -> CloudConfig:
    text = '[listen]\nenrol = "127.0.0.1:0"\nhosts = ["cloud.example"]\n'
    return CloudConfig(tmp_path, read_settings(text, CloudSettings))


@pytest.fixture
def authority(config: CloudConfig) -> Authority:
    return Authority.create(config.authority_folder, "a test")


@pytest.fixture
def registry(config: CloudConfig) -> Registry:
    return Registry.open(config.registry_path)


@pytest.fixture
def desk(authority: Authority, registry: Registry) -> Desk:
    return Desk(authority, registry, "cloud.example:8461", "cloud.example")


@pytest.fixture
def token(config: CloudConfig, authority: Authority, registry: Registry) -> Token:
    return create_token(config, authority, registry, "pump", NOW_US, HOUR_US)


def request(token: Token, **changed: object) -> sync_pb2.EnrolRequest:
    made = sync_pb2.EnrolRequest(
        token_id=token.id, token_secret=token.secret, gateway="pump", csr_der=csr("pump"),
        protocol_min=1, protocol_max=1, agent_version="1",
    )  # fmt: skip
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def test_a_token_names_the_advertised_address_and_is_kept_as_a_hash(
    token: Token, config: CloudConfig, authority: Authority
) -> None:
    assert token.address == "cloud.example:0"
    assert token.ca_der == authority.der
    assert token.secret not in config.registry_path.read_bytes()
    assert token.secret.hex().encode() not in config.registry_path.read_bytes()


@pytest.mark.parametrize(
    ("changed", "status", "cause"),
    [
        ({"csr_der": csr("other")}, "INVALID_ARGUMENT", "asks for the name ['other']"),
        ({"csr_der": b""}, "INVALID_ARGUMENT", "cannot be read"),
        ({"csr_der": b"x" * 5000}, "INVALID_ARGUMENT", "5000 bytes long"),
        ({"gateway": "other"}, "PERMISSION_DENIED", "not for 'other'"),
        ({"gateway": ""}, "PERMISSION_DENIED", "not for ''"),
        ({"token_id": b""}, "UNAUTHENTICATED", "not one of this cloud"),
        ({"token_secret": b""}, "UNAUTHENTICATED", "not one of this cloud"),
        ({"protocol_min": PROTOCOL_MAX + 1, "protocol_max": 99}, "FAILED_PRECONDITION", "speaks"),
        ({"protocol_max": 0, "protocol_min": 0}, "FAILED_PRECONDITION", "speaks"),
    ],
)
def test_a_refused_request_spends_nothing(
    desk: Desk, token: Token, changed: dict[str, object], status: str, cause: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        desk.enrol(request(token, **changed), NOW_US)
    assert caught.value.status is grpc.StatusCode[status]
    assert cause in caught.value.cause
    assert caught.value.hint
    assert desk.registry.gateways() == []
    assert desk.enrol(request(token), NOW_US).certificate_der


def test_a_certificate_that_was_revoked_is_not_handed_out_again(desk: Desk, token: Token) -> None:
    asked = request(token)
    assert desk.enrol(asked, NOW_US) == desk.enrol(asked, NOW_US)
    desk.registry.revoke_gateway("pump", NOW_US, "stolen")
    with pytest.raises(RefusedError, match="used already"):
        desk.enrol(asked, NOW_US)


@pytest.mark.parametrize(("name", "ttl_us"), [("", 1), ("a b", 1), ("a", 0), ("a", 1 << 60)])
def test_a_token_for_nobody_or_for_ever_is_not_made(
    config: CloudConfig, authority: Authority, registry: Registry, name: str, ttl_us: int
) -> None:
    with pytest.raises(OperatorError):
        create_token(config, authority, registry, name, NOW_US, ttl_us)
    assert registry.tokens() == []


def test_an_address_waits_out_its_minute_and_others_do_not() -> None:
    limit = AttemptLimit(2)
    for _ in range(2):
        assert not limit.must_wait("ipv4:10.0.0.1:5000", 100)
        limit.failed("ipv4:10.0.0.1:5000", 100)
    assert limit.must_wait("ipv4:10.0.0.1:6000", 100)
    assert not limit.must_wait("ipv4:10.0.0.2:5000", 100)
    assert not limit.must_wait("ipv4:10.0.0.1:5000", 100 + MINUTE_US)
    limit.failed("ipv4:10.0.0.1:5000", 100 + MINUTE_US)
    assert not limit.must_wait("ipv4:10.0.0.1:5000", 100 + MINUTE_US)


def test_a_clock_set_back_does_not_lock_an_address_out() -> None:
    limit = AttemptLimit(1)
    limit.failed("ipv4:10.0.0.1:5000", 10 * MINUTE_US)
    assert not limit.must_wait("ipv4:10.0.0.1:5000", 0)


def test_a_whole_ipv6_network_is_one_address() -> None:
    limit = AttemptLimit(1)
    limit.failed("ipv6:%5B2001:db8::1%5D:5000", 0)
    assert limit.must_wait("ipv6:[2001:db8::ffff]:1", 0)
    assert not limit.must_wait("ipv6:[2001:db8:0:1::1]:1", 0)


def test_remembering_addresses_takes_bounded_memory() -> None:
    limit = AttemptLimit(1)
    for number in range(SOURCES_MAX + 10):
        limit.failed(f"ipv4:10.{number >> 16}.{number >> 8 & 255}.{number & 255}:1", 0)
    assert not limit.must_wait("ipv4:10.0.0.0:1", 0)
    assert limit.must_wait("ipv4:10.0.0.255:1", 0)


@pytest.fixture
async def channel(
    config: CloudConfig, authority: Authority, registry: Registry
) -> AsyncIterator[grpc.aio.Channel]:
    server, port = enrolment_server(config, authority, registry, lambda: NOW_US)
    await server.start()
    credentials = grpc.ssl_channel_credentials(authority.pem)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as made:
        yield made
    await server.stop(0)


async def test_a_refusal_carries_its_hint_over_the_wire(
    channel: grpc.aio.Channel, token: Token
) -> None:
    stub = sync_pb2_grpc.EnrolmentStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Enrol(request(token, gateway="other"), timeout=10)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert dict(caught.value.trailing_metadata())[HINT_KEY].startswith(b"make a token")


async def test_an_oversized_request_is_not_even_read(
    channel: grpc.aio.Channel, token: Token, registry: Registry
) -> None:
    stub = sync_pb2_grpc.EnrolmentStub(channel)
    huge = request(token, csr_der=bytes(ENROL_BYTES_MAX))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Enrol(huge, timeout=10)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert registry.audit_rows() == []


async def test_calls_left_half_said_do_not_keep_an_honest_gateway_out(
    config: CloudConfig,
    authority: Authority,
    registry: Registry,
    token: Token,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cloud.ingest.enrolment.RPCS_MAX", 32)
    monkeypatch.setattr("cloud.ingest.enrolment.CONNECTION_AGE_MS", 1_000)
    monkeypatch.setattr("cloud.ingest.enrolment.CONNECTION_GRACE_MS", 500)
    server, port = enrolment_server(config, authority, registry, lambda: NOW_US)
    await server.start()
    credentials = grpc.ssl_channel_credentials(authority.pem)
    own = (("grpc.use_local_subchannel_pool", 1),)
    address = f"localhost:{port}"
    async with (
        grpc.aio.secure_channel(address, credentials, own) as idler,
        grpc.aio.secure_channel(address, credentials, own) as honest,
    ):
        begin = idler.stream_unary("/tidegate.v1.Enrolment/Enrol")
        calls = [begin() for _ in range(40)]
        await calls[0].wait_for_connection()
        stub = sync_pb2_grpc.EnrolmentStub(honest)
        answer = await stub.Enrol(request(token), timeout=20)
        assert answer.certificate_der
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await calls[0]
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE, "a call half said is ended"
        for call in calls:
            call.cancel()
    await server.stop(0)


async def test_a_taken_address_is_told(
    config: CloudConfig, authority: Authority, registry: Registry
) -> None:
    server, port = enrolment_server(config, authority, registry, lambda: NOW_US)
    text = f'[listen]\nenrol = "127.0.0.1:{port}"\n'
    same = CloudConfig(config.home, read_settings(text, CloudSettings))
    with pytest.raises(OperatorError, match="another cloud running"):
        enrolment_server(same, authority, registry, lambda: NOW_US)
    await server.stop(0)
