"""Keys that sign models: Ed25519 pairs, their files, and how a public one is written in settings.

The private key is a PKCS#8 PEM file of mode 0600; the public one a line, `ed25519:` and 44 letters
of base64, which goes into the settings of a gateway that shall trust it. A key is called by the
first 16 hexadecimal digits of the SHA-256 of its 32 public bytes.
"""

import binascii
import stat
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from protos.durable import put
from protos.model_manifest import PackageError

PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
MARK: Final = "ed25519:"
KEY_FILE_BYTES_MAX: Final = 4096


def key_id(public: bytes) -> str:
    """The name of a public key of 32 bytes: 16 hexadecimal digits."""
    return sha256(public).hexdigest()[:16]


def public_line(public: bytes) -> str:
    """A public key as it is written in settings."""
    return MARK + b64encode(public).decode()


def read_public(line: str) -> bytes:
    """The 32 bytes of a public key's line.

    Raises:
        ValueError: the line is no such key; the message says in what.
    """
    text = line.strip()
    if not text.startswith(MARK):
        raise ValueError(f"a model key begins with {MARK}, this does not")
    try:
        public = b64decode(text.removeprefix(MARK), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is no base64") from error
    if len(public) != PUBLIC_BYTES:
        raise ValueError(f"it holds {len(public)} bytes, a model key has {PUBLIC_BYTES}")
    return public


def make_key() -> Ed25519PrivateKey:
    """A new random key."""
    return Ed25519PrivateKey.generate()


def public_of(key: Ed25519PrivateKey) -> bytes:
    """The 32 public bytes of a key."""
    return key.public_key().public_bytes_raw()


def signature_fits(public: bytes, signature: bytes, signed: bytes) -> bool:
    """Whether the signature of 64 bytes is that of ``public`` over ``signed``."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def save_key(path: Path, key: Ed25519PrivateKey) -> None:
    """Put a private key into a new file of mode 0600, on the disk when this returns.

    Raises:
        PackageError: there is a file of that name, or the disk refuses.
    """
    what = f"make the model key {path}"
    if path.exists():
        hint = "keep it: gateways trust models by it; or name another file"
        raise PackageError(what, "it exists", hint)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        put(path, pem, 0o600)
    except OSError as error:
        hint = "name a file in a folder of yours"
        raise PackageError(what, error.strerror or str(error), hint) from error


def load_key(path: Path) -> Ed25519PrivateKey:
    """The private key of a file.

    Raises:
        PackageError: it is missing, readable by others, or no Ed25519 key without a passphrase.
    """
    what = f"read the model key {path}"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        with path.open("rb") as file:
            pem = file.read(KEY_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        hint = "`tidegate-cloud model keygen` makes one"
        raise PackageError(what, "there is no such file", hint) from None
    except OSError as error:
        raise PackageError(what, error.strerror or str(error), "check who may read it") from error
    if mode & 0o077:
        cause = f"its mode {mode:04o} lets other users read it"
        raise PackageError(what, cause, f"chmod 600 {path}")
    try:
        key = load_pem_private_key(pem[:KEY_FILE_BYTES_MAX], None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        cause = str(error).splitlines()[0][:200] if str(error) else "it is no key in PEM form"
        raise PackageError(what, cause, "give an Ed25519 key without a passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        cause = f"it is of the kind {type(key).__name__}, not Ed25519"
        raise PackageError(what, cause, "`tidegate-cloud model keygen` makes one")
    return key
