"""Pure: a zip file in the one form that Tidegate writes, and a reader that takes no other.

Entries are stored, never compressed; there is no comment, extra field, flag, attribute or time (all
stand at 1980-01-01), nothing before, between or after them, and the directory says what the entries
say. A given list of entries is therefore one string of bytes, and whatever a zip can hide is
refused by comparing it with what this module would have written. Any unzip reads it.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

Entry = tuple[str, bytes]

NAME_BYTES_MAX: Final = 64
ENTRIES_MAX: Final = 16

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_LOCAL_MARK: Final = b"PK\x03\x04"
_CENTRAL_MARK: Final = b"PK\x01\x02"
_END_MARK: Final = b"PK\x05\x06"
_NEEDS: Final = 10
"""Version 1.0 of the format suffices to read stored entries."""
_DATE: Final = (0, 0x21)
"""Time and date in MS-DOS's form: midnight of 1980-01-01, the earliest there is."""


class StoredZipError(ValueError):
    """Bytes that are no zip of this form; the message says in what."""


def write_stored(entries: Sequence[Entry]) -> bytes:
    """Write entries in the order given.

    Raises:
        ValueError: more than `ENTRIES_MAX` entries, or a name that is no short plain ASCII name.
    """
    if len(entries) > ENTRIES_MAX:
        raise ValueError(f"{len(entries)} entries are more than {ENTRIES_MAX}")
    for name, _ in entries:
        if not 1 <= len(name) <= NAME_BYTES_MAX or not name.isascii():
            raise ValueError(f"{name!r} is no name of an entry")
    parts = [part for name, data in entries for part in (_local(name, data), data)]
    return b"".join([*parts, _directory(entries)])


def read_stored(data: bytes) -> list[Entry]:
    """Read the entries of a zip that `write_stored` could have written, and no other.

    Raises:
        StoredZipError: it is cut off, no zip, or a zip of any other form.
    """
    entries = list(_entries(data))
    if not data.endswith(_directory(entries)) or len(data) != _size(entries):
        raise StoredZipError("its directory is missing, cut off, or not that of its entries")
    return entries


def _entries(data: bytes) -> Iterator[Entry]:
    at = 0
    if data[: len(_LOCAL_MARK)] != _LOCAL_MARK:
        raise StoredZipError("it does not begin as a zip does")
    for _ in range(ENTRIES_MAX):
        if data[at : at + len(_LOCAL_MARK)] != _LOCAL_MARK:
            return
        head = data[at : at + _LOCAL.size]
        if len(head) < _LOCAL.size:
            raise StoredZipError("it is cut off")
        *_, size, name_size, extra_size = _LOCAL.unpack(head)
        start = at + _LOCAL.size + name_size
        if not 1 <= name_size <= NAME_BYTES_MAX or extra_size:
            raise StoredZipError("an entry has a name too long, or fields that are not ours")
        end = start + size
        if end > len(data):
            raise StoredZipError("it is cut off")
        name = data[at + _LOCAL.size : start].decode("ascii", "replace")
        content = data[start:end]
        if not name.isascii() or data[at:start] != _local(name, content):
            told = "an entry is damaged, compressed, encrypted, or has a time or flags of its own"
            raise StoredZipError(told)
        yield name, content
        at = end


def _local(name: str, data: bytes) -> bytes:
    size = len(data)
    head = (_NEEDS, 0, 0, *_DATE, zlib.crc32(data), size, size, len(name), 0)
    return _LOCAL.pack(_LOCAL_MARK, *head) + name.encode("ascii")


def _directory(entries: Sequence[Entry]) -> bytes:
    """The central directory and the end record."""
    parts, at = [], 0
    for name, data in entries:
        size = len(data)
        head = (_NEEDS, _NEEDS, 0, 0, *_DATE, zlib.crc32(data), size, size, len(name))
        parts.append(_CENTRAL.pack(_CENTRAL_MARK, *head, 0, 0, 0, 0, 0, at) + name.encode("ascii"))
        at += _LOCAL.size + len(name) + size
    listing = b"".join(parts)
    count = len(entries)
    return listing + _END.pack(_END_MARK, 0, 0, count, count, len(listing), at, 0)


def _size(entries: Sequence[Entry]) -> int:
    heads = sum(_LOCAL.size + _CENTRAL.size + 2 * len(name) for name, _ in entries)
    return heads + sum(len(data) for _, data in entries) + _END.size
