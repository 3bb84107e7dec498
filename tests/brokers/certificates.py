"""An authority for loopback: a server, a gateway, and a stranger it never signed."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

STORE_PASSWORD = "changeit"
Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def make_authority(folder: Path) -> None:
    """``ca``, ``server``, ``gateway`` and ``stranger`` as PEM, and two stores for Java."""
    authority = certificate(folder, "ca")
    server = certificate(folder, "server", authority)
    certificate(folder, "gateway", authority)
    certificate(folder, "stranger")
    locked = serialization.BestAvailableEncryption(STORE_PASSWORD.encode())
    keys = pkcs12.serialize_key_and_certificates(
        b"server", server[1], server[0], [authority[0]], locked
    )
    (folder / "server.p12").write_bytes(keys)
    trusted = [pkcs12.PKCS12Certificate(authority[0], b"ca")]
    trust = pkcs12.serialize_java_truststore(trusted, locked)
    (folder / "trust.p12").write_bytes(trust)


def certificate(folder: Path, name: str, issuer: Pair | None = None) -> Pair:
    """A certificate for loopback and its key, also as files ``name.crt`` and ``name.key``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer = issuer or (None, key)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signer[0] is None else signer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(1970, 1, 2))
        .not_valid_after(datetime.datetime(2100, 1, 1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(signer[1], hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made, key


def client_context(folder: Path, name: str | None) -> ssl.SSLContext:
    """Trusts the authority alone, and shows the certificate of this name."""
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    if name is not None:
        context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    return context
