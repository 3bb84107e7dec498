"""Pure: CBOR (RFC 8949), as much of it as a sensor's payload needs, within limits.

Read: integers, byte and text strings, arrays, maps, booleans, null, half, single and double floats,
both definite and indefinite lengths; of tags the content alone, but decimal fractions and bignums,
which become numbers.
"""

import struct
from typing import Final

from edge.payload.said import Unreadable

DEPTH_MAX: Final = 16
ITEMS_MAX: Final = 65_536
"""Items of one payload; a count in a few bytes may promise more than there is memory."""
_BREAK: Final = object()
_TAG_BIGNUMS: Final = {2: 1, 3: -1}
_TAG_DECIMAL: Final = 4


def decode(data: bytes) -> object:
    """The one value of a payload.

    Raises:
        Unreadable: truncated, with something after it, too deep, or of a form that is not read.
    """
    reader = _Reader(data)
    try:
        value = reader.item(0)
    except (IndexError, struct.error) as error:
        raise Unreadable("truncated CBOR") from error
    except UnicodeDecodeError as error:
        raise Unreadable("CBOR with a text that is not UTF-8") from error
    if reader.at != len(data):
        raise Unreadable(f"CBOR with {len(data) - reader.at} bytes after its end")
    return value


class _Reader:
    """Reads one payload from its beginning."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._items = 0
        self.at = 0

    def item(self, depth: int) -> object:
        """The next value."""
        self._items += 1
        if depth > DEPTH_MAX or self._items > ITEMS_MAX:
            raise Unreadable("CBOR nested too deep, or with too many items")
        head = self._data[self.at]
        self.at += 1
        major, info = head >> 5, head & 31
        if major == 7:
            return self._simple(info)
        length = None if info == 31 else self._length(info)
        if length is None:
            return self._without_length(major, depth)
        match major:
            case 0:
                return length
            case 1:
                return -1 - length
            case 2:
                return self._take(length)
            case 3:
                return self._take(length).decode()
            case 4:
                return self._list(length, depth)
            case 5:
                return self._map(length, depth)
        return self._tagged(length, depth)

    def _length(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise Unreadable("CBOR with a length of no form")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def _take(self, count: int) -> bytes:
        data = self._data[self.at : self.at + count]
        if len(data) < count:
            raise Unreadable("truncated CBOR")
        self.at += count
        return data

    def _simple(self, info: int) -> object:
        match info:
            case 20 | 21:
                return info == 21
            case 22 | 23:
                return None
            case 25:
                return float(struct.unpack(">e", self._take(2))[0])
            case 26:
                return float(struct.unpack(">f", self._take(4))[0])
            case 27:
                return float(struct.unpack(">d", self._take(8))[0])
            case 31:
                return _BREAK
        raise Unreadable(f"CBOR with the simple value {info}")

    def _room_for(self, count: int) -> None:
        if count > len(self._data) - self.at:
            raise Unreadable("truncated CBOR")

    def _list(self, length: int, depth: int) -> list[object]:
        self._room_for(length)
        return [self._whole(depth) for _ in range(length)]

    def _map(self, length: int, depth: int) -> dict[object, object]:
        self._room_for(2 * length)
        return {self._key(depth): self._whole(depth) for _ in range(length)}

    def _key(self, depth: int) -> object:
        key = self._whole(depth)
        if not isinstance(key, str | int):
            raise Unreadable("CBOR with a key that is neither text nor number")
        return key

    def _whole(self, depth: int) -> object:
        value = self.item(depth + 1)
        if value is _BREAK:
            raise Unreadable("CBOR with a break where there is nothing to end")
        return value

    def _without_length(self, major: int, depth: int) -> object:
        parts: list[object] = []
        while (part := self.item(depth + 1)) is not _BREAK:
            parts.append(part)
        match major:
            case 2:
                return b"".join(part for part in parts if isinstance(part, bytes))
            case 3:
                return "".join(part for part in parts if isinstance(part, str))
            case 4:
                return parts
            case 5 if len(parts) % 2 == 0 and all(isinstance(k, str | int) for k in parts[::2]):
                return dict(zip(parts[::2], parts[1::2], strict=True))
        raise Unreadable("CBOR with a value of no form")

    def _tagged(self, tag: int, depth: int) -> object:
        value = self._whole(depth)
        if tag in _TAG_BIGNUMS and isinstance(value, bytes) and len(value) <= 128:
            whole = int.from_bytes(value, "big")
            return whole if tag == 2 else -1 - whole
        if tag == _TAG_DECIMAL and isinstance(value, list) and len(value) == 2:
            exponent, mantissa = value
            if isinstance(exponent, int) and isinstance(mantissa, int) and abs(exponent) <= 300:
                return mantissa * 10.0**exponent if abs(mantissa) < 1 << 256 else None
        return value
