"""Letting a gateway in: a one-time token and a signing request against a certificate.

The token is checked, spent, and the certificate kept in one transaction of the registry. Whether a
token is unknown or its secret wrong is not told apart; everything else is told only to whoever
holds the right secret. A gateway whose answer was lost on the way may ask again with the same
token *and the same key* while the token lasts, and gets the same certificate; another key is
refused. Each attempt is logged and audited, and an address that keeps failing has to wait.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import unquote

import grpc

from cloud.access.attempts import Attempts, source_of
from cloud.config import CloudConfig
from cloud.errors import OperatorError, PeerError, StorageError
from cloud.ingest.identity import Authority, request_key_sha256
from cloud.registry.registry import CertificateRow, Registry, TokenRow
from protos import sync_pb2, sync_pb2_grpc
from protos.limits import ENROL_BYTES_MAX, PROTOCOL_MAX, PROTOCOL_MIN
from protos.token import ID_BYTES, SECRET_BYTES, Token, gateway_name_problem

LOG = logging.getLogger(__name__)
HINT_KEY: Final = "tidegate-hint-bin"
RPCS_MAX: Final = 256
CALLS_PER_CONNECTION_MAX: Final = 2
"""One client that leaves its calls half said must not take the places of all."""
CONNECTION_AGE_MS: Final = 20_000
CONNECTION_GRACE_MS: Final = 5_000
"""An enrolment takes a second; whatever is unfinished after both is ended."""
TTL_US_MAX: Final = 30 * 24 * 3600 * 1_000_000
_NEW_TOKEN: Final = "on the cloud, make another with `tidegate-cloud token create NAME`"


class RefusedError(PeerError):
    """An enrolment that is refused; `status` is what gRPC answers."""

    def __init__(self, status: grpc.StatusCode, cause: str, hint: str) -> None:
        super().__init__("enrol a gateway", cause, hint)
        self.status = status


class AttemptLimit(Attempts):
    """Counts refusals by the address of a gRPC peer (IPv6: by its /64); bounded memory."""

    def must_wait(self, source: str, now_us: int) -> bool:
        """Say whether this address used up its refusals."""
        return super().must_wait(_source(source), now_us)

    def failed(self, source: str, now_us: int) -> None:
        """Count one refusal."""
        super().failed(_source(source), now_us)


def _source(peer: str) -> str:
    """The address behind gRPC's `ipv4:1.2.3.4:5` or `ipv6:[::1]:5`."""
    host = unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")
    return source_of(host) if host else peer[:64]


def create_token(
    config: CloudConfig, authority: Authority, registry: Registry, gateway: str, now_us: int,
    ttl_us: int,
) -> Token:  # fmt: skip
    """Make a token for one gateway; the registry keeps only the hash of its secret.

    Raises:
        OperatorError: a name that no gateway can have, or a lifetime out of range.
    """
    problem = gateway_name_problem(gateway)
    if problem:
        raise OperatorError(f"make a token for {gateway!r}", problem, "choose another name")
    if not 0 < ttl_us <= TTL_US_MAX:
        cause = "it would last for nothing, or for more than 30 days"
        raise OperatorError(f"make a token for {gateway!r}", cause, "choose another --ttl")
    identifier, secret = secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES)
    hashed = hashlib.sha256(secret).digest()
    registry.add_token(TokenRow(identifier.hex(), gateway, hashed, now_us, now_us + ttl_us))
    return Token(identifier, secret, config.enrol_address, gateway, authority.der)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a request is judged; blocking, for a worker thread."""

    authority: Authority
    registry: Registry
    sync_address: str
    cloud_name: str

    def enrol(self, request: sync_pb2.EnrolRequest, now_us: int) -> sync_pb2.EnrolResponse:
        """Judge a request and answer it; token and certificate change together or not at all.

        Raises:
            RefusedError: with the reason and the way out.
            StorageError: the registry failed; nothing was changed.
        """
        _check_protocol(request)
        with self.registry.transaction():
            token = self._proven_token(request)
            _check_token(token, request, now_us)
            der = self._certificate(token, request, now_us)
        return sync_pb2.EnrolResponse(
            certificate_der=der,
            ca_der=self.authority.der,
            sync_address=self.sync_address,
            cloud_name=self.cloud_name,
        )

    def _proven_token(self, request: sync_pb2.EnrolRequest) -> TokenRow:
        token = self.registry.token(request.token_id.hex())
        stored = token.secret_sha256 if token else bytes(32)
        given = hashlib.sha256(request.token_secret).digest()
        if not hmac.compare_digest(stored, given) or token is None:
            cause = "the token is not one of this cloud"
            raise RefusedError(grpc.StatusCode.UNAUTHENTICATED, cause, _NEW_TOKEN)
        return token

    def _certificate(self, token: TokenRow, request: sync_pb2.EnrolRequest, now_us: int) -> bytes:
        try:
            key = request_key_sha256(request.csr_der, token.gateway)
            if token.used_us is not None:
                return self._same_again(token, key)
            made = self.authority.sign(request.csr_der, token.gateway)
        except PeerError as error:
            if isinstance(error, RefusedError):
                raise
            status = grpc.StatusCode.INVALID_ARGUMENT
            raise RefusedError(status, error.cause, error.hint) from error
        row = CertificateRow(
            made.serial, made.name, made.key_sha256, made.der, now_us, made.not_after_us
        )
        self.registry.grant(token, row)
        return made.der

    def _same_again(self, token: TokenRow, key: str) -> bytes:
        kept = self.registry.certificate(token.serial or "")
        if key != token.used_key or kept is None or kept.revoked_us is not None:
            cause = f"the token for {token.gateway!r} was used already"
            raise RefusedError(grpc.StatusCode.PERMISSION_DENIED, cause, _NEW_TOKEN)
        return kept.der


def _check_protocol(request: sync_pb2.EnrolRequest) -> None:
    if request.protocol_min > PROTOCOL_MAX or request.protocol_max < PROTOCOL_MIN:
        cause = (
            f"the gateway speaks protocol {request.protocol_min} to {request.protocol_max}, "
            f"this cloud {PROTOCOL_MIN} to {PROTOCOL_MAX}"
        )
        hint = "update the older of the two"
        raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, cause, hint)


def _check_token(token: TokenRow, request: sync_pb2.EnrolRequest, now_us: int) -> None:
    denied = grpc.StatusCode.PERMISSION_DENIED
    if token.revoked_us is not None:
        raise RefusedError(denied, f"the token for {token.gateway!r} was revoked", _NEW_TOKEN)
    if now_us >= token.expires_us:
        raise RefusedError(denied, f"the token for {token.gateway!r} has expired", _NEW_TOKEN)
    if request.gateway != token.gateway:
        cause = f"the token is for {token.gateway!r}, not for {request.gateway[:64]!r}"
        raise RefusedError(denied, cause, "make a token for that name, or enrol under this one")


class EnrolmentService(sync_pb2_grpc.EnrolmentServicer):
    """The gRPC face of the desk: bounds, limits, log and audit."""

    def __init__(
        self, desk: Desk, limit: AttemptLimit, now_us: Callable[[], int], outcomes: Counter[str]
    ) -> None:
        self._desk = desk
        self._limit = limit
        self._now_us = now_us
        self._outcomes = outcomes

    async def Enrol(  # noqa: N802 (the contract's name)
        self,
        request: sync_pb2.EnrolRequest,
        context: "grpc.aio.ServicerContext[sync_pb2.EnrolRequest, sync_pb2.EnrolResponse]",
    ) -> sync_pb2.EnrolResponse:
        """Answer one request, or refuse it with a status, a cause and a hint."""
        now_us, peer = self._now_us(), context.peer()
        try:
            if self._limit.must_wait(peer, now_us):
                cause = "too many refused attempts from this address"
                status = grpc.StatusCode.RESOURCE_EXHAUSTED
                raise RefusedError(status, cause, "wait a minute, then try again")
            answer = await asyncio.to_thread(self._desk.enrol, request, now_us)
        except RefusedError as refusal:
            self._outcomes["refused"] += 1
            if refusal.status is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                self._limit.failed(peer, now_us)
                await self._note(now_us, request.gateway, peer, f"refused: {refusal.cause}")
            await _refuse(context, refusal.status, refusal)
        except StorageError as error:
            LOG.error("enrolment of %s failed: %s", ascii(request.gateway[:64]), error)
            await _refuse(context, grpc.StatusCode.UNAVAILABLE, error)
        self._outcomes["enrolled"] += 1
        await self._note(now_us, request.gateway, peer, "enrolled")
        return answer

    async def _note(self, now_us: int, gateway: str, peer: str, outcome: str) -> None:
        name, source = ascii(gateway[:64]), unquote(peer)[:64]
        LOG.info("enrolment of %s from %s: %s", name, source, outcome)
        audit = self._desk.registry.audit
        await asyncio.to_thread(audit, now_us, "enrol", gateway[:64], source, outcome)


async def _refuse(
    context: "grpc.aio.ServicerContext[sync_pb2.EnrolRequest, sync_pb2.EnrolResponse]",
    status: grpc.StatusCode,
    error: PeerError | StorageError,
) -> NoReturn:
    await context.abort(status, error.cause, ((HINT_KEY, error.hint.encode()),))
    raise AssertionError("abort raises")


def enrolment_server(
    config: CloudConfig,
    authority: Authority,
    registry: Registry,
    now_us: Callable[[], int],
    outcomes: Counter[str] | None = None,
) -> tuple[grpc.aio.Server, int]:
    """Make the enrolment server, bound but not started; says the port it got.

    ``outcomes`` counts `enrolled` and `refused`.

    Raises:
        OperatorError: it cannot listen where the settings say.
    """
    options = (
        ("grpc.max_receive_message_length", ENROL_BYTES_MAX),
        ("grpc.max_concurrent_streams", CALLS_PER_CONNECTION_MAX),
        ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),
        ("grpc.max_connection_age_grace_ms", CONNECTION_GRACE_MS),
        ("grpc.so_reuseport", 0),
    )
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=RPCS_MAX)
    desk = Desk(authority, registry, config.sync_address, config.settings.listen.hosts[0])
    limit = AttemptLimit(config.settings.enrolment.failures_per_minute_max)
    service = EnrolmentService(desk, limit, now_us, Counter() if outcomes is None else outcomes)
    # Generated code carries no types.
    sync_pb2_grpc.add_EnrolmentServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    shown = authority.server(config.certificate_hosts)
    pair = (shown.key_pem, shown.certificate_pem)
    address = config.settings.listen.enrol
    try:
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    except RuntimeError as error:
        hint = "is another cloud running? otherwise correct listen.enrol"
        tried = f"listen for enrolments on {address}"
        raise OperatorError(tried, "the address is taken or not ours", hint) from error
    return server, port
