"""The identity to come: a renewed key and certificate, kept beside the one in use until it served.

`identity.next/` gathers the new key (on the disk before it is asked for, so that a lost answer can
be asked for again), then the certificate, the authority and `cloud.toml`, which makes it complete.
A complete one is shown first; once the cloud took it, it becomes the identity by the way of a new
enrolment. Until then the identity before is untouched, and whatever a crash leaves is one of both.
"""

import hashlib
import logging
import shutil
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge import identity
from edge.errors import PeerError, StorageError
from edge.identity import AUTHORITY_FILE, CERTIFICATE_FILE, CLOUD_FILE, Identity
from edge.renewal import Record
from protos.durable import put

log = logging.getLogger(__name__)


def next_folder(folder: Path) -> Path:
    """Where the identity to come of the one in ``folder`` is gathered."""
    return folder.with_name(folder.name + ".next")


def fingerprint(who: Identity) -> str:
    """The name of its certificate: SHA-256, hexadecimal."""
    return hashlib.sha256(who.certificate_pem).hexdigest()


def read_record(path: Path) -> Record:
    """What was kept of the certificate's age; nothing where there is nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return Record()
    except (OSError, msgspec.MsgspecError) as error:
        log.error("what was known of the certificate's age is lost: %s", error)
        return Record()


def request(folder: Path, name: str) -> bytes:
    """A signing request (DER) of the key to come, which is made at the first call.

    Raises:
        StorageError: the key cannot be written.
    """
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .sign(_key(folder), hashes.SHA256())
    )
    return csr.public_bytes(serialization.Encoding.DER)


def keep(folder: Path, name: str, certificate_der: bytes) -> Identity:
    """Complete the identity to come with the certificate that the cloud answered.

    Raises:
        PeerError: it is not for our key, not under our name, or not of our authority.
        StorageError: it cannot be written; the identity in use is as it was.
    """
    coming = next_folder(folder)
    try:
        authority = x509.load_pem_x509_certificate((folder / AUTHORITY_FILE).read_bytes())
        certificate = _checked(certificate_der, authority, name, _key(folder))
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        put(coming / CERTIFICATE_FILE, pem, 0o644)
        for file in (AUTHORITY_FILE, CLOUD_FILE):  # cloud.toml last: it makes all of it count
            put(coming / file, (folder / file).read_bytes(), 0o644)
    except OSError as error:
        cause, hint = str(error), "check the disk; it is tried again"
        raise StorageError(f"write the renewed identity in {coming}", cause, hint) from error
    return identity.load(coming, name)


def found(folder: Path, name: str) -> Identity | None:
    """A complete identity to come; None where there is none. Raises as `identity.load`."""
    coming = next_folder(folder)
    return identity.load(coming, name) if (coming / CLOUD_FILE).exists() else None


def promote(folder: Path) -> None:
    """The cloud took it: make it the identity. A crash on the way leaves one that works.

    Raises:
        StorageError: it cannot be renamed.
    """
    try:
        identity.replace_by(folder, next_folder(folder))
    except OSError as error:
        cause, hint = str(error), "check the disk and who owns the home"
        raise StorageError(f"take the renewed identity into {folder}", cause, hint) from error


def discard(folder: Path) -> None:
    """The cloud refused it, or the gateway was enrolled anew: forget it."""
    shutil.rmtree(next_folder(folder), ignore_errors=True)


def _key(folder: Path) -> ec.EllipticCurvePrivateKey:
    return identity.pending_key(folder, next_folder(folder))


def _checked(
    der: bytes, authority: x509.Certificate, name: str, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    tried, hint = "renew the certificate", "the cloud mixes up gateways: report it"
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise PeerError(tried, "the answer is no certificate of our cloud", hint) from error
    if identity.common_name(certificate) != name or certificate.public_key() != key.public_key():
        raise PeerError(tried, "the certificate is not for our name and key", hint)
    return certificate
