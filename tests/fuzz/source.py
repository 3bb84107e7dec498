"""Bytes as a stream of choices: the same bytes make the same choices, and no bytes are left over.

Also how a message of the protocol is bent: fields chosen by the bytes take values of the bytes.
"""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

ABSURD = (0, 1, 2, 3, 127, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32,
          (1 << 53) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
BYTES_MAX = 1 << 12
NAMES = ("", "attic", "cellar", "../../etc", "x" * 65, "größer", "\0", "a\nb")


class Source:
    """A reader that never fails: past the end everything is zero."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_spent(self) -> bool:
        return self._at >= len(self._data)

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def byte(self) -> int:
        return int.from_bytes(self.take(1), "little")

    def below(self, limit: int) -> int:
        return self.byte() % limit

    def sized(self) -> bytes:
        """Bytes behind a length of two bytes."""
        return self.take(int.from_bytes(self.take(2), "little") % BYTES_MAX)

    def number(self) -> int:
        """A number of 64 bits: near nothing, at a border, or any."""
        match self.below(4):
            case 0:
                return self.byte()
            case 1:
                return ABSURD[self.below(len(ABSURD))]
            case _:
                return int.from_bytes(self.take(8), "little")


def bent(message: Message, source: Source) -> None:
    """Change up to three fields of a message in place."""
    for _ in range(source.below(4)):
        _bend(message, source)


def _bend(message: Message, source: Source) -> None:
    fields = message.DESCRIPTOR.fields
    if not fields:
        return
    field = fields[source.below(len(fields))]
    if field.is_repeated:
        _bend_list(message, field, source)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        _bend(getattr(message, field.name), source)
    else:
        setattr(message, field.name, _value(message, field, source))


def _bend_list(message: Message, field: Any, source: Source) -> None:
    values = getattr(message, field.name)
    if source.below(4) == 0:
        del values[source.below(len(values) + 1) :]
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        if source.below(2) and len(values):
            _bend(values[source.below(len(values))], source)
        else:
            _bend(values.add(), source)
    else:
        values.append(_value(message, field, source))


def _value(message: Message, field: Any, source: Source) -> object:
    match field.type:
        case FieldDescriptor.TYPE_BYTES:
            known = getattr(message, field.name) if not field.is_repeated else b""
            return _bent_bytes(known, source)
        case FieldDescriptor.TYPE_STRING:
            if source.below(2):
                return NAMES[source.below(len(NAMES))]
            return source.sized().decode("utf-8", "replace")
        case FieldDescriptor.TYPE_BOOL:
            return bool(source.below(2))
        case FieldDescriptor.TYPE_UINT64 | FieldDescriptor.TYPE_FIXED64:
            return source.number()
        case FieldDescriptor.TYPE_UINT32:
            return source.number() & 0xFFFF_FFFF
        case FieldDescriptor.TYPE_INT64 | FieldDescriptor.TYPE_SINT64:
            return source.number() - (1 << 63)
        case FieldDescriptor.TYPE_DOUBLE | FieldDescriptor.TYPE_FLOAT:
            return (float("nan"), float("inf"), -1.0, 1e308)[source.below(4)]
        case _:
            return source.number() & 0x7FFF_FFFF


def _bent_bytes(known: bytes, source: Source) -> bytes:
    match source.below(3):
        case 0:
            return source.sized()
        case 1:
            return known[: source.below(256)]
        case _:
            at = source.number() % (len(known) + 1)
            return known[:at] + source.take(1) + known[at + 1 :]
