"""A line to the running cloud, by its own port for gateways, with a certificate for this import.

Whoever may read the home's certificate authority may enrol a gateway; so this process enrols the
import gateway itself, for as long as it runs. Its key never touches the disk.
"""

import hashlib
import queue
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud.config import CloudConfig
from cloud.errors import OperatorError, UnreachableError
from cloud.imports.ledger import Ledger
from cloud.ingest.identity import Authority
from cloud.registry.registry import Admission, CertificateRow, Registry, TokenRow
from protos import sync_pb2 as pb
from protos.address import split_address
from protos.limits import MESSAGE_BYTES_MAX
from protos.sync_pb2_grpc import SyncStub

QUEUE_MAX: Final = 64
CONNECT_S_MAX: Final = 10.0
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class Pass:
    """A key and certificate of the import gateway, as PEM, and the cloud's authority."""

    key_pem: bytes
    certificate_pem: bytes
    authority_pem: bytes


def enrolled(config: CloudConfig) -> set[str]:
    """The names of all gateways that ever enrolled; StorageError when the registry fails."""
    with closing(Registry.open(config.registry_path)) as registry:
        return {row.name for row in registry.gateways()}


def enrol(config: CloudConfig, ledger: Ledger, now_us: int) -> Pass:
    """Enrol the import gateway of a ledger that has begun.

    Raises:
        OperatorError: another gateway has its name now, with a certificate that is good.
        StorageError: the registry cannot be used.
    """
    gateway = ledger.gateway
    authority = Authority.load(config.authority_folder)
    with closing(Registry.open(config.registry_path, config.certificate_life_us)) as registry:
        _check_name(registry, ledger, now_us)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject)
        der = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        made = authority.sign(der, gateway)
        ledger.add_serial(made.serial)
        secret = hashlib.sha256(secrets.token_bytes(32)).digest()
        token = TokenRow(secrets.token_hex(8), gateway, secret, now_us, now_us + 1)
        with registry.transaction():
            registry.add_token(token)
            registry.grant(
                token,
                CertificateRow(
                    made.serial, made.name, made.key_sha256, made.der, now_us, made.not_after_us
                ),
            )
            registry.audit(now_us, "import", gateway, "command line", "enrolled for an import")
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = x509.load_der_x509_certificate(made.der).public_bytes(pem)
    return Pass(private, certificate, authority.pem)


def retire(config: CloudConfig, gateway: str, now_us: int) -> None:
    """Revoke what `enrol` gave."""
    with closing(Registry.open(config.registry_path, config.certificate_life_us)) as registry:
        registry.revoke_gateway(gateway, now_us, "the import has ended")


def _check_name(registry: Registry, ledger: Ledger, now_us: int) -> None:
    """Refuse to take a certificate away that no import was enrolled with."""
    good = {row.name for row in registry.gateways() if row.certificate_not_after_us}
    ours = registry.standing(ledger.serials, now_us).values()
    if ledger.gateway in good and not {Admission.ADMITTED, Admission.PAST_ITS_LIFE} & set(ours):
        cause = "a gateway was enrolled under that name since"
        raise OperatorError(f"import as {ledger.gateway!r}", cause, "choose another --gateway")


class SyncLine:
    """A session with the running cloud."""

    def __init__(self, config: CloudConfig, shown: Pass) -> None:
        host, port = split_address(config.settings.listen.sync)
        host = _ANYWHERE.get(host, host)
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        name = config.certificate_hosts[0]
        options = (
            ("grpc.ssl_target_name_override", name),
            ("grpc.default_authority", name),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.enable_http_proxy", 0),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.use_local_subchannel_pool", 1),
        )
        credentials = grpc.ssl_channel_credentials(
            shown.authority_pem, shown.key_pem, shown.certificate_pem
        )
        self._channel = grpc.secure_channel(self._address, credentials, options=options)
        self._said: queue.Queue[pb.GatewayMessage | None] = queue.Queue(QUEUE_MAX)
        try:
            grpc.channel_ready_future(self._channel).result(CONNECT_S_MAX)
        except grpc.FutureTimeoutError as error:
            self._channel.close()
            raise self._away("no answer") from error
        stub: Any = SyncStub(self._channel)  # type: ignore[no-untyped-call]
        self._call = stub.Session(self._messages())

    def send(self, message: pb.GatewayMessage) -> None:
        """Queue a message; waits while `QUEUE_MAX` are under way."""
        while True:
            try:
                return self._said.put(message, timeout=1.0)
            except queue.Full:
                if not self._call.is_active():
                    return None  # whoever receives is told why

    def receive(self) -> pb.CloudMessage:
        """The next answer."""
        try:
            answer: pb.CloudMessage = next(self._call)
        except StopIteration as error:
            raise self._away("it ended the session") from error
        except grpc.RpcError as error:
            details = error.details() if isinstance(error, grpc.Call) else str(error)
            raise self._away(details or "no details") from error
        return answer

    def close(self) -> None:
        """Hang up."""
        self._call.cancel()
        self._channel.close()

    def _messages(self) -> Iterator[pb.GatewayMessage]:
        while (message := self._said.get()) is not None:
            yield message

    def _away(self, cause: str) -> UnreachableError:
        hint = "is `tidegate-cloud serve` running well? see its log"
        return UnreachableError(f"import into the cloud at {self._address}", cause, hint)
