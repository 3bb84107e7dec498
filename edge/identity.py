"""The gateway's identity: its key, its certificate, the authority it trusts, the cloud's address.

`identity/` holds `gateway.key` (0600), `gateway.crt`, `ca.crt` and `cloud.toml`. A new identity is
gathered in `identity.new/` and becomes the identity by a rename once its last file, `cloud.toml`,
is on the disk; whatever a power cut left is settled at the next look. The key never leaves.
"""

import fcntl
import os
import shutil
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.errors import OperatorError, StorageError
from protos.durable import put, sync_folder
from protos.settings import toml_value

KEY_FILE: Final = "gateway.key"
CERTIFICATE_FILE: Final = "gateway.crt"
AUTHORITY_FILE: Final = "ca.crt"
CLOUD_FILE: Final = "cloud.toml"


def way_out(name: str = "NAME", *, replace: bool = True) -> str:
    """How to get an identity, or a new one."""
    verb = "enroll --replace" if replace else "enroll"
    return f"on the cloud: `tidegate-cloud token create {name}`; here: `tidegate-edge {verb} TOKEN`"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this gateway is, ready for gRPC: PEM bytes, `host:port` of the cloud, times in µs UTC.

    `cloud_name` is a name in the server's certificate, for when the address itself is not.
    """

    name: str
    sync_address: str
    cloud_name: str
    key_pem: bytes
    certificate_pem: bytes
    authority_pem: bytes
    not_before_us: int
    not_after_us: int

    def require_valid(self, now_us: int) -> None:
        """See that the certificate is good now.

        Raises:
            OperatorError: it has expired, or is not valid yet, by the gateway's clock.
        """
        tried = f"use the certificate of the gateway {self.name!r}"
        if now_us >= self.not_after_us:
            cause = f"it expired on {_day(self.not_after_us)} (the clock says {_day(now_us)})"
            hint = f"check the clock; else enrol anew, which keeps the buffer: {way_out(self.name)}"
            raise OperatorError(tried, cause, hint)
        if now_us < self.not_before_us:
            cause = f"it is valid from {_day(self.not_before_us)} (the clock says {_day(now_us)})"
            raise OperatorError(tried, cause, "check the clock")


def _day(at_us: int) -> str:
    try:
        return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return f"{at_us} µs"


def is_enrolled(folder: Path) -> bool:
    """Whether there is an identity at all, good or bad."""
    _settle(folder)
    return (folder / CLOUD_FILE).exists()


def standing(folder: Path) -> Path:
    """Where the identity granted last stands, with nothing moved: the folder, or one beside it.

    A power cut may have left a complete one that has not yet taken the place of the one before.
    """
    pending = _pending(folder)
    return pending if (pending / CLOUD_FILE).exists() else folder


def load(folder: Path, name: str) -> Identity:
    """Read the identity and prove that its parts belong together; says nothing about its age.

    Raises:
        OperatorError: not enrolled, a file missing or damaged, a key that is not the
            certificate's, a certificate that is not of the authority kept with it, or that is
            not for the gateway of this `name`.
    """
    if not is_enrolled(folder):
        cause = "this gateway is not enrolled with a cloud"
        tried = f"load the gateway's identity in {folder}"
        raise OperatorError(tried, cause, way_out(name, replace=False))
    return read(folder, name)


def read(folder: Path, name: str) -> Identity:
    """As `load`, of what stands in a folder; nothing is moved there. OperatorError likewise."""
    tried = f"load the gateway's identity in {folder}"
    try:
        cloud = tomllib.loads((folder / CLOUD_FILE).read_text("utf-8"))
        parts = [
            (folder / name).read_bytes() for name in (KEY_FILE, CERTIFICATE_FILE, AUTHORITY_FILE)
        ]
        address, cloud_name = str(cloud["sync_address"]), str(cloud["cloud_name"])
    except OSError as error:
        cause = f"{Path(error.filename or folder).name}: {error.strerror}"
        raise OperatorError(tried, cause, f"enrol anew: {way_out(name)}") from error
    except (ValueError, KeyError) as error:
        cause = f"{CLOUD_FILE} is damaged: {error}"
        raise OperatorError(tried, cause, f"enrol anew: {way_out(name)}") from error
    certificate = _proven(tried, *parts)
    if common_name(certificate) != name:
        cause = f"the certificate is for {common_name(certificate)!r}, the settings say {name!r}"
        hint = f"set gateway.name back, or enrol anew: {way_out(name)}"
        raise OperatorError(tried, cause, hint)
    return Identity(
        name=name,
        sync_address=address,
        cloud_name=cloud_name,
        key_pem=parts[0],
        certificate_pem=parts[1],
        authority_pem=parts[2],
        not_before_us=int(certificate.not_valid_before_utc.timestamp()) * 1_000_000,
        not_after_us=int(certificate.not_valid_after_utc.timestamp()) * 1_000_000,
    )


def _proven(
    tried: str, key_pem: bytes, certificate_pem: bytes, authority_pem: bytes
) -> x509.Certificate:
    again = f"enrol anew: {way_out()}"
    try:
        file = KEY_FILE
        key = serialization.load_pem_private_key(key_pem, None)
        file = CERTIFICATE_FILE
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        file = AUTHORITY_FILE
        authority = x509.load_pem_x509_certificate(authority_pem)
    except (ValueError, TypeError) as error:
        cause = f"{file} is damaged: {str(error).splitlines()[0][:100]}"
        raise OperatorError(tried, cause, again) from error
    if key.public_key() != certificate.public_key():
        cause = f"{KEY_FILE} is not the key of {CERTIFICATE_FILE}"
        raise OperatorError(tried, cause, again)
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError) as error:
        cause = f"{CERTIFICATE_FILE} was not issued by the authority in {AUTHORITY_FILE}"
        raise OperatorError(tried, cause, again) from error
    return certificate


def common_name(certificate: x509.Certificate) -> str:
    """The gateway's name in a certificate; empty when there is none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def pending_key(folder: Path, into: Path | None = None) -> ec.EllipticCurvePrivateKey:
    """The key to enrol with, or one ``into`` another folder: on the disk before it is ever used.

    The same key serves until its enrolment has succeeded, so that an answer lost on the way can be
    asked for again.

    Raises:
        StorageError: it cannot be written.
    """
    pending = into or _pending(folder)
    try:
        pending.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = pending / KEY_FILE
        if file.exists():
            kept = _read_key(file)
            if kept is not None:
                return kept
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        put(file, pem, 0o600)
    except OSError as error:
        cause, hint = str(error), "check the disk and who owns the home"
        raise StorageError(f"write the gateway's key in {pending}", cause, hint) from error
    return key


def _read_key(file: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def keep(
    folder: Path,
    certificate: x509.Certificate,
    authority: x509.Certificate,
    sync_address: str,
    cloud_name: str,
) -> None:
    """Complete the pending identity and put it in the place of the one before.

    Raises:
        StorageError: it cannot be written; the identity before is still in place.
    """
    pending = _pending(folder)
    cloud = f"sync_address = {toml_value(sync_address)}\ncloud_name = {toml_value(cloud_name)}\n"
    try:
        for name, held in ((CERTIFICATE_FILE, certificate), (AUTHORITY_FILE, authority)):
            put(pending / name, held.public_bytes(serialization.Encoding.PEM), 0o644)
        put(pending / CLOUD_FILE, cloud.encode(), 0o644)
        _settle(folder)
    except OSError as error:
        cause, hint = str(error), "check the disk, then enrol again with the same token"
        raise StorageError(f"write the gateway's identity in {folder}", cause, hint) from error


def _pending(folder: Path) -> Path:
    return folder.with_name(folder.name + ".new")


def _settle(folder: Path) -> None:
    """Finish a replacement: a complete pending identity is the one the cloud granted last.

    One at a time: a command may look while the agent renews, and must not move what it has moved.
    """
    pending, old = _pending(folder), folder.with_name(folder.name + ".old")
    if not (pending / CLOUD_FILE).exists() and not old.exists():
        return
    lock = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (pending / CLOUD_FILE).exists():
            if folder.exists():
                shutil.rmtree(old, ignore_errors=True)
                folder.rename(old)
            pending.rename(folder)
            sync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        os.close(lock)


def replace_by(folder: Path, complete: Path) -> None:
    """Put a complete identity in another folder in the place of the one in ``folder``. OSError."""
    pending = _pending(folder)
    shutil.rmtree(pending, ignore_errors=True)
    complete.rename(pending)
    sync_folder(folder.parent)
    _settle(folder)
