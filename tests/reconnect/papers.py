"""A thousand gateways' certificates, given by the cloud's own enrolment desk for real tokens."""

import time
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud.config import CloudConfig
from cloud.ingest.enrolment import Desk, create_token
from cloud.ingest.identity import Authority
from cloud.registry.registry import Registry
from protos import sync_pb2 as pb
from protos.limits import PROTOCOL_MAX, PROTOCOL_MIN

_PEM: Final = serialization.Encoding.PEM
_TTL_US: Final = 60_000_000


@dataclass(frozen=True)
class Papers:
    """What a gateway shows."""

    name: str
    certificate_pem: bytes
    key_pem: bytes


def enrol_all(config: CloudConfig, authority: Authority, names: list[str]) -> list[Papers]:
    """Enrol gateways, all in one transaction and without a server in between."""
    registry = Registry.open(config.registry_path)
    desk = Desk(authority, registry, "127.0.0.1:1", "localhost")
    try:
        with registry.transaction():
            return [_enrol(config, desk, name) for name in names]
    finally:
        registry.close()


def _enrol(config: CloudConfig, desk: Desk, name: str) -> Papers:
    now_us = time.time_ns() // 1000
    token = create_token(config, desk.authority, desk.registry, name, now_us, _TTL_US)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    answer = desk.enrol(
        pb.EnrolRequest(
            token_id=token.id,
            token_secret=token.secret,
            gateway=name,
            csr_der=request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER),
            protocol_min=PROTOCOL_MIN,
            protocol_max=PROTOCOL_MAX,
            agent_version="a fleet",
        ),
        now_us,
    )
    pem = x509.load_der_x509_certificate(answer.certificate_der).public_bytes(_PEM)
    private = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Papers(name, pem, private)
