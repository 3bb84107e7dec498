"""Pure: small fields in bytes, written freely and read with suspicion.

Varints are unsigned LEB128 (seven bits a byte, lowest first), at most 64 bits and always in their
shortest form, so that equal content has equal bytes. Everything else is little-endian.
"""

from collections.abc import Iterator


class FormatError(ValueError):
    """Bytes that do not keep to a written format: ``what`` is wrong and ``where`` it was found."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where


class MalformedBlock(FormatError):  # noqa: N818 - the contract's word
    """A block or body that cannot be read: the sender's or the storage's fault, never ours."""


class MalformedEntry(FormatError):  # noqa: N818 - as above
    """A series entry that cannot be read."""


def varint(value: int) -> bytes:
    """Shortest LEB128 of ``value``; ValueError outside 0..2**64-1."""
    if not 0 <= value < 1 << 64:
        raise ValueError(f"a varint holds 0 to 2**64-1, not {value}")
    if value < 0x80:
        return bytes((value,))
    return bytes(_septets(value))


def _septets(value: int) -> Iterator[int]:
    while value >= 0x80:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


def zigzag(value: int) -> int:
    """A signed 64-bit number as an unsigned one that is small when the number is near zero."""
    return (value << 1) ^ (value >> 63)


def unzigzag(value: int) -> int:
    """The reverse of ``zigzag``."""
    return (value >> 1) ^ -(value & 1)


def prefixed(data: bytes) -> bytes:
    """``data`` behind its length as a varint."""
    return varint(len(data)) + data


class Reader:
    """A cursor over bytes that names its fields when they are not there.

    ``where`` starts every error's place; ``error`` is the class raised.
    """

    __slots__ = ("_data", "_error", "_where", "at")

    def __init__(
        self, data: bytes, where: str, error: type[FormatError] = MalformedBlock, at: int = 0
    ) -> None:
        self._data = data
        self._where = where
        self._error = error
        self.at = at

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return len(self._data) - self.at

    def fail(self, what: str, field: str) -> FormatError:
        """The error to raise for ``field``."""
        return self._error(what, f"{self._where}, {field} at byte {self.at}")

    def take(self, size: int, field: str) -> bytes:
        """The next ``size`` bytes."""
        start, end = self.at, self.at + size
        if end > len(self._data):
            raise self.fail(f"truncated: {size} bytes wanted, {self.left} left", field)
        self.at = end
        return self._data[start:end]

    def number(self, field: str, maximum: int) -> int:
        """The next varint, at most ``maximum``."""
        data, at = self._data, self.at
        if at < len(data) and data[at] < 0x80:
            value = data[at]
            at += 1
        else:
            value, at = self._long_number(field)
        if value > maximum:
            raise self.fail(f"{value} is over the limit of {maximum}", field)
        self.at = at
        return value

    def _long_number(self, field: str) -> tuple[int, int]:
        value, at = 0, self.at
        for shift in range(0, 70, 7):
            if at >= len(self._data):
                raise self.fail("truncated inside a varint", field)
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 or value >= 1 << 64:
                    raise self.fail("a varint not in its shortest form or over 64 bits", field)
                return value, at
        raise self.fail("a varint of more than ten bytes", field)

    def signed(self, field: str) -> int:
        """The next zigzag varint."""
        return unzigzag(self.number(field, (1 << 64) - 1))

    def prefixed(self, field: str, maximum: int) -> bytes:
        """The next bytes behind their length, at most ``maximum`` of them."""
        return self.take(self.number(f"length of {field}", maximum), field)

    def text(self, field: str, maximum: int) -> str:
        """The next length-prefixed UTF-8 string of at most ``maximum`` bytes."""
        data = self.prefixed(field, maximum)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as cause:
            raise self.fail(f"not UTF-8 ({cause.reason})", field) from cause

    def end(self) -> None:
        """Raise unless everything was read."""
        if self.left:
            raise self.fail(f"{self.left} trailing bytes", "end")
