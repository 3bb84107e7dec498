"""Pure: a gateway's series table: entries, their hash chain, and the identity of a series.

Byte layout and the laws of erasure: docs/format/series.md. An entry is numbered once and for ever;
a root commits to all entries before it, so blocks need to name only (highest entry, root).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import sha256
from typing import Final

from protos.codec.wire import MalformedEntry, Reader, prefixed, varint
from protos.limits import (
    ENTRY_BYTES_MAX,
    GATEWAY_NAME_BYTES_MAX,
    LABELS_MAX,
    NAME_BYTES_MAX,
    SERIES_MAX,
    UNIT_BYTES_MAX,
)

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
EMPTY_ROOT: Final = bytes(HASH_BYTES)
"""Root of a table without entries."""

_WHOLE: Final = 1
_ERASED: Final = 2
_ENTRY_DOMAIN: Final = b"tidegate series entry 1\0"
_ROOT_DOMAIN: Final = b"tidegate series root 1\0"
_ID_DOMAIN: Final = b"tidegate series id 1\0"


class SeriesKind(IntEnum):
    """What the numbers of a series mean over time; the value is on the wire."""

    GAUGE = 0
    COUNTER = 1
    STATE = 2


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """The name of a series within its gateway; ``labels`` are sorted by name, names unique."""

    device: str
    metric: str
    labels: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    kind: SeriesKind = SeriesKind.GAUGE


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """A row of the table. ``key`` None: erased, ``salt`` is then empty and ``leaf`` is all kept."""

    entry: int
    device_no: int
    key: SeriesKey | None
    salt: bytes
    leaf: bytes


def make_entry(entry: int, device_no: int, key: SeriesKey, salt: bytes) -> SeriesEntry:
    """Entry number ``entry`` (from 1) of device ``device_no`` (from 1), its leaf computed.

    ``salt`` is 16 random bytes. ValueError when a number, name or label breaks its limit.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt is of {SALT_BYTES} bytes, not {len(salt)}")
    if not (1 <= entry <= SERIES_MAX and 1 <= device_no <= SERIES_MAX):
        raise ValueError(f"entry {entry} of device {device_no}: both count from 1 to {SERIES_MAX}")
    return SeriesEntry(entry, device_no, key, salt, _leaf(entry, device_no, key, salt))


def erase_entry(entry: SeriesEntry) -> SeriesEntry:
    """The entry without name and salt; leaf and so every root stay."""
    return replace(entry, key=None, salt=b"")


def roll(root: bytes, leaf: bytes) -> bytes:
    """The root after one more entry."""
    return sha256(_ROOT_DOMAIN + root + leaf).digest()


def root_of(entries: Iterable[SeriesEntry]) -> bytes:
    """The root of entries 1, 2, 3 … given in order; ValueError when one is missing."""
    root = EMPTY_ROOT
    for expected, entry in enumerate(entries, 1):
        if entry.entry != expected:
            raise ValueError(f"entry {entry.entry} where {expected} was expected")
        root = roll(root, entry.leaf)
    return root


def encode_entry(entry: SeriesEntry) -> bytes:
    """Bytes of an entry for a Declare message or a store (docs/format/series.md)."""
    head = varint(entry.entry) + varint(entry.device_no)
    if entry.key is None:
        return bytes((_ERASED,)) + head + entry.leaf
    return bytes((_WHOLE,)) + head + entry.salt + _key_bytes(entry.key)


def decode_entry(data: bytes) -> SeriesEntry:
    """The reverse of ``encode_entry``; MalformedEntry names what is wrong and where."""
    reader = Reader(data, "series entry", MalformedEntry)
    if len(data) > ENTRY_BYTES_MAX:
        raise reader.fail(f"{len(data)} bytes are over {ENTRY_BYTES_MAX}", "entry")
    form = reader.number("form", 255)
    entry = reader.number("entry number", SERIES_MAX)
    device_no = reader.number("device number", SERIES_MAX)
    if entry == 0 or device_no == 0:
        raise reader.fail("entry and device numbers start at 1", "numbers")
    if form == _ERASED:
        leaf = reader.take(HASH_BYTES, "leaf")
        reader.end()
        return SeriesEntry(entry, device_no, None, b"", leaf)
    if form != _WHOLE:
        raise reader.fail(f"form {form} is not of this version (1 whole, 2 erased)", "form")
    salt = reader.take(SALT_BYTES, "salt")
    key = _read_key(reader)
    reader.end()
    return SeriesEntry(entry, device_no, key, salt, _leaf(entry, device_no, key, salt))


def series_id(gateway: str, key: SeriesKey) -> int:
    """The identity of a series in every tier and query: a non-negative int64, ``f"{id:016x}"``.

    The first eight bytes, big-endian and with the top bit cleared, of a SHA-256 over the canonical
    (gateway, device, metric, labels, unit, kind).
    """
    name = _text("gateway", gateway, GATEWAY_NAME_BYTES_MAX)
    digest = sha256(_ID_DOMAIN + name + _key_bytes(key)).digest()
    return int.from_bytes(digest[:8], "big") & 0x7FFF_FFFF_FFFF_FFFF


def _leaf(entry: int, device_no: int, key: SeriesKey, salt: bytes) -> bytes:
    content = varint(entry) + varint(device_no) + _key_bytes(key)
    return sha256(_ENTRY_DOMAIN + salt + content).digest()


def _key_bytes(key: SeriesKey) -> bytes:
    names = [name for name, _ in key.labels]
    if names != sorted(set(names)) or len(names) > LABELS_MAX:
        raise ValueError(f"labels of {key} are not sorted by unique name or over {LABELS_MAX}")
    if not key.device or not key.metric:
        raise ValueError("a series has a device and a metric, neither may be empty")
    parts = [_text("device", key.device), _text("metric", key.metric)]
    parts += [_text("unit", key.unit, UNIT_BYTES_MAX), varint(key.kind), varint(len(names))]
    for name, value in key.labels:
        parts += [_text("label name", name), _text("label value", value)]
    return b"".join(parts)


def _text(field: str, text: str, bytes_max: int = NAME_BYTES_MAX) -> bytes:
    data = text.encode("utf-8")
    if len(data) > bytes_max:
        raise ValueError(f"{field} of {len(data)} bytes is over {bytes_max}: {text[:40]!r}…")
    return prefixed(data)


def _read_key(reader: Reader) -> SeriesKey:
    device = reader.text("device", NAME_BYTES_MAX)
    metric = reader.text("metric", NAME_BYTES_MAX)
    unit = reader.text("unit", UNIT_BYTES_MAX)
    kind = reader.number("kind", max(SeriesKind))
    count = reader.number("number of labels", LABELS_MAX)
    labels = tuple(
        (reader.text("label name", NAME_BYTES_MAX), reader.text("label value", NAME_BYTES_MAX))
        for _ in range(count)
    )
    names = [name for name, _ in labels]
    if not device or not metric or names != sorted(set(names)):
        raise reader.fail("an empty name, or labels not sorted by unique name", "series key")
    return SeriesKey(device, metric, labels, unit, SeriesKind(kind))
