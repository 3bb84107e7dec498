"""Pure: sealing of what lies in the buffer: keys, nonces, and what binds a row to its place.

    key-encryption key ─wraps→ data key ─HKDF-SHA256(salt of one opening)→ subkey ─AEAD→ row

Every opening of the store draws 32 fresh random bytes (the salt), so its subkey was never used
before; the nonce is a counter from 0 that lives in memory only. A restored backup, a cloned card or
a kill -9 therefore cannot make a (subkey, nonce) pair twice. Byte layouts: docs/format/buffer.md.
"""

import hmac
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge.errors import StorageError

KEY_BYTES: Final = 32
SALT_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
TAG_BYTES: Final = 16
COUNTER_MAX: Final = 1 << 40
"""Rows sealed under one subkey: 35 years at 1,000 a second, and far below either cipher's bound."""

_HEADER: Final = struct.Struct(">BIQ")
SEALED_OVERHEAD: Final = _HEADER.size + TAG_BYTES
_SUBKEY_INFO: Final = b"tidegate buffer subkey 1\0"
_WRAP_INFO: Final = b"tidegate buffer wrap 1\0"
_KEK_ID_INFO: Final = b"tidegate buffer kek id 1\0"
_KEY_ID_INFO: Final = b"tidegate buffer key id 1\0"
_MARKS_INFO: Final = b"tidegate redelivery marks 1\0"
_ROW_DOMAIN: Final = b"tidegate buffer row 1\0"


class Cipher(IntEnum):
    """The AEAD a row was sealed with; the number is its first byte."""

    CHACHA20_POLY1305 = 1
    AES_256_GCM = 2


class RowKind(IntEnum):
    """What a sealed row is; bound into it, so that it cannot pass for another."""

    CHUNK = 1
    BLOCK = 2
    ENTRY = 3
    MARKS = 4
    REJECT = 5
    STATE = 6
    LESSON = 7
    REMEMBERED = 8


class SealError(StorageError):
    """A sealed row that does not open: flipped bits, a moved row, or another key."""


class Sealer(Protocol):
    """Seals rows under the newest opening and opens those of every opening it was told."""

    @property
    def name(self) -> str:
        """The cipher in words."""

    def admit(self, opening: int, salt: bytes) -> None:
        """Make rows of an earlier opening readable."""

    def begin(self, opening: int, salt: bytes) -> None:
        """Seal under ``opening`` from now on; ``salt`` is fresh and random."""

    def seal(self, plain: bytes, bound: bytes) -> bytes:
        """``plain`` sealed, bound to ``bound``; ValueError when no opening was begun."""

    def unseal(self, sealed: bytes, bound: bytes) -> bytes:
        """The reverse; SealError unless both are what they were."""

    def opening_of(self, sealed: bytes) -> int:
        """The opening a row was sealed in, as its own header says."""


class AeadSealer:
    """The sealer of the product: one data key, a subkey an opening, a counter nonce.

    Not for several threads: the counter is what keeps nonces apart.
    """

    def __init__(self, data_key: bytes, cipher: Cipher) -> None:
        self._data_key = _checked(data_key)
        self._cipher = cipher
        self._salts: dict[int, bytes] = {}
        self._ready: dict[tuple[Cipher, int], AESGCM | ChaCha20Poly1305] = {}
        self._opening = 0
        self._counter = COUNTER_MAX

    @property
    def name(self) -> str:
        """The cipher in words."""
        return self._cipher.name.lower().replace("_", "-")

    def admit(self, opening: int, salt: bytes) -> None:
        """Make rows of an earlier opening readable."""
        if len(salt) == SALT_BYTES:
            self._salts[opening] = salt

    def begin(self, opening: int, salt: bytes) -> None:
        """Seal under ``opening`` from now on; ValueError for a salt seen before."""
        if len(salt) != SALT_BYTES or salt in self._salts.values():
            raise ValueError("an opening needs a fresh salt of 32 random bytes")
        self._salts[opening] = salt
        self._opening, self._counter = opening, 0

    def seal(self, plain: bytes, bound: bytes) -> bytes:
        """header(cipher, opening, counter) ‖ ciphertext ‖ tag."""
        if self._counter >= COUNTER_MAX:
            raise ValueError("no opening was begun, or it is used up")
        header = _HEADER.pack(self._cipher, self._opening, self._counter)
        nonce = _nonce(self._counter)
        self._counter += 1
        aead = self._aead(self._cipher, self._opening)
        return header + aead.encrypt(nonce, plain, header + bound)

    def unseal(self, sealed: bytes, bound: bytes) -> bytes:
        """The plaintext; SealError when anything differs from what was sealed."""
        if len(sealed) < SEALED_OVERHEAD:
            raise _broken("it is shorter than any sealed row")
        header = sealed[: _HEADER.size]
        cipher, opening, counter = _HEADER.unpack(header)
        if cipher not in set(Cipher) or opening not in self._salts:
            raise _broken("its header names no known cipher or opening")
        aead = self._aead(Cipher(cipher), opening)
        try:
            return aead.decrypt(_nonce(counter), sealed[_HEADER.size :], header + bound)
        except InvalidTag:
            raise _broken("authentication failed") from None

    def opening_of(self, sealed: bytes) -> int:
        """The opening in the header; 0 when there is none."""
        return int(_HEADER.unpack_from(sealed)[1]) if len(sealed) >= _HEADER.size else 0

    def _aead(self, cipher: Cipher, opening: int) -> AESGCM | ChaCha20Poly1305:
        ready = self._ready.get((cipher, opening))
        if ready is None:
            info = _SUBKEY_INFO + bytes((cipher,))
            subkey = _derive(self._data_key, self._salts[opening], info)
            ready = AESGCM(subkey) if cipher is Cipher.AES_256_GCM else ChaCha20Poly1305(subkey)
            self._ready[cipher, opening] = ready
        return ready


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it lies in the buffer; ``kek_id`` tells which key wraps it."""

    kek_id: bytes
    salt: bytes
    sealed: bytes


def wrap_key(kek: bytes, data_key: bytes, salt: bytes, gateway: str) -> WrappedKey:
    """``data_key`` under ``kek`` for one gateway; ``salt`` is 32 fresh random bytes.

    The wrapping subkey is of this salt alone and used once, so its nonce may be zero.
    """
    aead = ChaCha20Poly1305(_derive(_checked(kek), salt, _WRAP_INFO))
    sealed = aead.encrypt(_nonce(0), _checked(data_key), _WRAP_INFO + gateway.encode())
    return WrappedKey(kek_id(kek), salt, sealed)


def unwrap_key(kek: bytes, wrapped: WrappedKey, gateway: str) -> bytes:
    """The data key; SealError says whether the key, the gateway or the row is wrong."""
    if not hmac.compare_digest(kek_id(kek), wrapped.kek_id):
        raise _broken("it was sealed with another key")
    aead = ChaCha20Poly1305(_derive(_checked(kek), wrapped.salt, _WRAP_INFO))
    try:
        return aead.decrypt(_nonce(0), wrapped.sealed, _WRAP_INFO + gateway.encode())
    except InvalidTag:
        raise _broken("the key is right, but the row is damaged or of another gateway") from None


def kek_id(kek: bytes) -> bytes:
    """What may be shown of a key-encryption key to tell it from another."""
    return _derive(_checked(kek), b"", _KEK_ID_INFO)[:KEY_ID_BYTES]


def key_id(data_key: bytes) -> bytes:
    """What is bound into every row as the name of its data key; survives rewrapping."""
    return _derive(_checked(data_key), b"", _KEY_ID_INFO)[:KEY_ID_BYTES]


def marks_key(data_key: bytes) -> bytes:
    """The secret that redelivery marks are hashed with; it survives rewrapping too."""
    return _derive(_checked(data_key), b"", _MARKS_INFO)


def bound_to(gateway: str, kind: RowKind, identity: bytes, key: bytes, rows: int) -> bytes:
    """Associated data of a row: domain ‖ gateway ‖ identity ‖ key id ‖ kind ‖ rows.

    ``identity`` names the row within its kind; lengths stand before what varies, so no two
    different bindings are equal bytes.
    """
    name = gateway.encode()
    sizes = struct.pack(">HH", len(name), len(identity))
    return _ROW_DOMAIN + sizes + name + identity + key + struct.pack(">BQ", kind, rows)


def pick_cipher(cpuinfo: str) -> Cipher:
    """AES-256-GCM where the processor has AES instructions, else ChaCha20-Poly1305.

    ``cpuinfo`` is the text of /proc/cpuinfo: x86 calls the line ``flags``, ARM ``Features``.
    Without the instructions AES-GCM is five times slower and open to timing (DESIGN §5).
    """
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features") and "aes" in value.split():
            return Cipher.AES_256_GCM
    return Cipher.CHACHA20_POLY1305


def _derive(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt, info).derive(key)


def _nonce(counter: int) -> bytes:
    return counter.to_bytes(12, "big")


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key is of {KEY_BYTES} bytes, not {len(key)}")
    return key


def _broken(cause: str) -> SealError:
    return SealError("open a sealed row", cause)
