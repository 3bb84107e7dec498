"""The built-in certificate authority: the cloud's own, for its server and its gateways alone.

P-256 throughout. Validity begins in 1970 and lasts until 2099: a gateway whose clock fell back to
1970 must still accept the server (gRPC in Python cannot be told what time it is), and it knows the
authority because its token pinned it. How long a gateway's certificate serves, and what ends its
access, is the registry's to say (`cloud.ingest.renewal`).
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud.errors import OperatorError, PeerError
from protos.durable import put

EPOCH_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_DAY: Final = datetime(2099, 12, 31, tzinfo=UTC)
GATEWAY_URN: Final = "urn:tidegate:gateway:"
CSR_BYTES_MAX: Final = 4096

_P256 = ec.SECP256R1()


@dataclass(frozen=True, slots=True)
class GatewayCertificate:
    """What a certificate of ours says: whose it is, and until when (µs UTC)."""

    name: str
    serial: str
    key_sha256: str
    not_after_us: int
    der: bytes


@dataclass(frozen=True, slots=True)
class ServerCredentials:
    """Key, certificate and authority as PEM, as gRPC takes them."""

    key_pem: bytes
    certificate_pem: bytes
    authority_pem: bytes


class Authority:
    """The certificate authority in one folder: `ca.key` (0600), `ca.crt`, `server.*`."""

    def __init__(
        self, folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> None:
        self._folder = folder
        self._key = key
        self.certificate = certificate
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    @classmethod
    def create(cls, folder: Path, name: str) -> Self:
        """Make a new authority.

        Raises:
            OperatorError: there is one already; replacing it would shut out every gateway.
        """
        if (folder / "ca.key").exists():
            cause = "there is one already, and every gateway knows the cloud by it"
            raise OperatorError(f"make a certificate authority in {folder}", cause, "keep it")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(_P256)
        subject = _common_name(name)
        certificate = (
            _builder(subject, subject, key.public_key(), LAST_DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        put(folder / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        put(folder / "ca.key", _key_pem(key), 0o600)
        return cls(folder, key, certificate)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the authority.

        Raises:
            OperatorError: a file is missing, unreadable, or does not belong to the other.
        """
        tried = f"load the certificate authority in {folder}"
        try:
            key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
            certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        except FileNotFoundError as error:
            hint = "run `tidegate-cloud init`, or restore the folder from a backup"
            raise OperatorError(tried, f"{error.filename} is missing", hint) from error
        except (OSError, ValueError, TypeError) as error:
            raise OperatorError(tried, str(error), "restore it from a backup") from error
        public = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != public:
            raise OperatorError(tried, "ca.key is not the key of ca.crt", "restore both together")
        return cls(folder, key, certificate)

    def server(self, hosts: tuple[str, ...]) -> ServerCredentials:
        """The server's certificate for these names and addresses; made anew when they changed."""
        key_file, file = self._folder / "server.key", self._folder / "server.crt"
        wanted = [_general_name(host) for host in hosts]
        if not (key_file.exists() and file.exists() and self._still_good(key_file, file, wanted)):
            key = ec.generate_private_key(_P256)
            certificate = (
                self._leaf(_common_name(hosts[0][:64]), key.public_key(), LAST_DAY)
                .add_extension(x509.SubjectAlternativeName(wanted), critical=False)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
                .sign(self._key, hashes.SHA256())
            )
            put(key_file, _key_pem(key), 0o600)
            put(file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        return ServerCredentials(key_file.read_bytes(), file.read_bytes(), self.pem)

    def _still_good(self, key_file: Path, file: Path, wanted: list[x509.GeneralName]) -> bool:
        try:
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
            certificate.verify_directly_issued_by(self.certificate)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return False
        return list(names.value) == wanted and key.public_key() == certificate.public_key()

    def sign(self, csr_der: bytes, name: str) -> GatewayCertificate:
        """Certify a gateway's key under `name`, whatever else the request asks for.

        Raises:
            PeerError: the request cannot be read, is not signed by its own key, is not P-256, or
                asks for another name.
        """
        public = _read_request(csr_der, name)
        alternatives = x509.SubjectAlternativeName(
            [x509.UniformResourceIdentifier(GATEWAY_URN + name)]
        )
        certificate = (
            self._leaf(_common_name(name), public, LAST_DAY)
            .add_extension(alternatives, critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
            .sign(self._key, hashes.SHA256())
        )
        return read_gateway_certificate(certificate)

    def _leaf(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime
    ) -> x509.CertificateBuilder:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            _builder(subject, self.certificate.subject, key, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(certificates=False), critical=True)
            .add_extension(issuer, critical=False)
        )


def read_gateway_certificate(certificate: x509.Certificate | bytes) -> GatewayCertificate:
    """Read whose a certificate is, given parsed or as PEM; its issuer was checked by TLS.

    Raises:
        PeerError: it is no gateway's certificate of ours.
    """
    tried = "read a gateway's certificate"
    try:
        if isinstance(certificate, bytes):
            certificate = x509.load_pem_x509_certificate(certificate)
        (common,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise PeerError(tried, str(error) or "it has no name", "enrol the gateway") from error
    name = str(common.value)
    if uris != [GATEWAY_URN + name]:
        raise PeerError(tried, f"{name!r} is not a gateway's name in it", "enrol the gateway")
    return GatewayCertificate(
        name=name,
        serial=f"{certificate.serial_number:x}",
        key_sha256=_key_sha256(certificate.public_key()),
        not_after_us=int(certificate.not_valid_after_utc.timestamp()) * 1_000_000,
        der=certificate.public_bytes(serialization.Encoding.DER),
    )


def request_key_sha256(csr_der: bytes, name: str) -> str:
    """The hash of the key that a request is for; raises as `Authority.sign` does."""
    return _key_sha256(_read_request(csr_der, name))


def _read_request(csr_der: bytes, name: str) -> ec.EllipticCurvePublicKey:
    tried = f"certify a key for the gateway {name!r}"
    hint = "enrol with `tidegate-edge enroll`, which makes the request"
    if len(csr_der) > CSR_BYTES_MAX:
        cause = f"the request is {len(csr_der)} bytes long, {CSR_BYTES_MAX} are allowed"
        raise PeerError(tried, cause, hint)
    try:
        csr = x509.load_der_x509_csr(csr_der)
        signed = csr.is_signature_valid
        public = csr.public_key()
        names = [a.value for a in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PeerError(tried, f"the request cannot be read: {error}", hint) from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(
        public.curve, ec.SECP256R1
    ):
        raise PeerError(tried, "its key is not a P-256 key", hint)
    if not signed:
        raise PeerError(tried, "the request is not signed by the key it is for", hint)
    if names != [name]:
        raise PeerError(tried, f"the request asks for the name {names!r}", hint)
    return public


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(EPOCH_START)
        .not_valid_after(until)
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _key_sha256(key: object) -> str:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise PeerError("read a gateway's certificate", "its key is not P-256", "enrol anew")
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()
