"""Pure: values of Sparkplug B metrics, by their datatypes (Sparkplug 3.0, 6.4.16 to 6.4.27).

Integers are two's complement in unsigned fields. A template is its metrics, `name/member`; a
dataset and an array of texts are kept as one JSON text, an array of numbers as `name.0` ….
"""

import math
import struct
from typing import Final

import msgspec

from edge.payload.offer import NAME_CHARS_MAX
from edge.payload.said import STATE, Channel, ReadingLimits, Said
from edge.payload.value import say
from protos import sparkplug_pb2 as pb

INT8, INT16, INT32, INT64 = 1, 2, 3, 4
BOOLEAN, STRING, DATETIME = 11, 12, 13
_WIDTHS: Final = {INT8: 8, INT16: 16, INT32: 32}
_ARRAYS: Final = {
    22: "b", 23: "h", 24: "i", 25: "q", 26: "B", 27: "H", 28: "I", 29: "Q", 30: "f", 31: "d",
    34: "Q",
}  # fmt: skip
_BOOLEANS, _STRINGS = 32, 33
_ARRAY_MAX: Final = 4096
_TEMPLATE_DEPTH_MAX: Final = 4
_UNIT_KEYS: Final = frozenset({"engUnit", "Engineering Units", "engineeringUnits", "unit", "units"})


def signed(value: int, datatype: int) -> int:
    """The whole number that an unsigned field stands for."""
    if datatype == INT64:
        return value - (1 << 64) if value >> 63 else value
    width = _WIDTHS.get(datatype)
    if width is None:
        return value
    if value >> 31:
        return value - (1 << 32)
    if width < 32 and value >> (width - 1) == 1:  # some nodes send the narrow form
        return value - (1 << width)
    return value


def unit_of(metric: pb.Metric) -> str:
    """The unit that a metric's properties give; empty without one."""
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=False):
        if key in _UNIT_KEYS and value.WhichOneof("value") == "string_value":
            return value.string_value
    return ""


def say_metric(
    said: Said, channel: Channel, metric: pb.Metric, datatype: int, limits: ReadingLimits
) -> None:
    """Add the value of one metric; ``datatype`` is that of its birth where it gives none itself."""
    which = metric.WhichOneof("value")
    if which == "float_value" or which == "double_value":
        value = metric.float_value if which == "float_value" else metric.double_value
        if math.isfinite(value):
            said.numbers.append((channel, value))
        else:
            said.missing += 1
    elif which == "int_value" or which == "long_value":
        whole = metric.int_value if which == "int_value" else metric.long_value
        if datatype == BOOLEAN:
            said.numbers.append(((channel[0], STATE, "", channel[3]), float(whole != 0)))
        else:
            said.numbers.append((channel, float(signed(whole, datatype))))
    elif which == "bool_value":
        said.numbers.append(((channel[0], STATE, "", channel[3]), float(metric.bool_value)))
    elif which == "string_value":
        _say_text(said, channel, metric.string_value, limits)
    elif which is None or metric.is_null:
        said.missing += 1
    else:
        _say_structure(said, channel, metric, datatype, limits, 1)


def _say_text(said: Said, channel: Channel, text: str, limits: ReadingLimits) -> None:
    """A text stays a text, digits too: its datatype says so."""
    if len(text.encode()) > limits.text_bytes_max:
        name = channel[0][:64]
        said.faults.append(f"the text in {name!r} is over {limits.text_bytes_max} bytes")
    else:
        said.texts.append(((channel[0], STATE, "", channel[3]), text))


def _say_structure(
    said: Said,
    channel: Channel,
    metric: pb.Metric,
    datatype: int,
    limits: ReadingLimits,
    depth: int,
) -> None:
    which = metric.WhichOneof("value")
    if len(channel[0]) > NAME_CHARS_MAX:  # each value within would repeat it
        told = f"a name over {NAME_CHARS_MAX} characters at {channel[0][:64]!r}"
        said.faults.append(told)
    elif which == "dataset":
        _say_text(said, channel, _dataset(metric.dataset), limits)
    elif which == "bytes_value":
        _say_bytes(said, channel, metric.bytes_value, datatype, limits)
    elif depth > _TEMPLATE_DEPTH_MAX:
        said.faults.append(f"a template within a template at {channel[0][:64]!r}")
    else:
        for member in metric.template.metrics:
            name = (f"{channel[0]}/{member.name}", channel[1], unit_of(member), channel[3])
            if member.WhichOneof("value") == "template":
                _say_structure(said, name, member, member.datatype, limits, depth + 1)
            else:
                say_metric(said, name, member, member.datatype, limits)


def _dataset(dataset: pb.DataSet) -> str:
    rows = [
        [_cell(cell, type_) for cell, type_ in zip(row.cells, dataset.types, strict=False)]
        for row in dataset.rows
    ]
    return msgspec.json.encode({"columns": list(dataset.columns), "rows": rows}).decode()


def _cell(cell: pb.Cell, type_: int) -> object:
    which = cell.WhichOneof("value")
    if which is None:
        return None
    value: object = getattr(cell, which)
    if isinstance(value, int) and not isinstance(value, bool):
        return signed(value, type_)
    return value


def _say_bytes(
    said: Said, channel: Channel, data: bytes, datatype: int, limits: ReadingLimits
) -> None:
    if datatype == _STRINGS:
        texts = [part.decode(errors="replace") for part in data.split(b"\0")[:-1]]
        _say_text(said, channel, msgspec.json.encode(texts).decode(), limits)
        return
    values = _array(data, datatype)
    if values is None:
        _say_text(said, channel, data.hex(), limits)
    elif len(values) > _ARRAY_MAX:
        said.faults.append(f"an array of {len(values)} values at {channel[0][:64]!r}")
    else:
        for number, value in enumerate(values):
            say(said, (f"{channel[0]}.{number}", *channel[1:]), value, limits)


def _array(data: bytes, datatype: int) -> tuple[object, ...] | None:
    """The values of a packed array; None where it is none, or its length does not fit."""
    if datatype == _BOOLEANS and len(data) >= 4:
        count = int.from_bytes(data[:4], "little")
        bits = data[4:]
        if count > 8 * len(bits):
            return None
        return tuple(
            bool(bits[n // 8] >> (7 - n % 8) & 1) for n in range(min(count, 8 * len(bits)))
        )
    form = _ARRAYS.get(datatype)
    if form is None or len(data) % struct.calcsize(f"<{form}"):
        return None
    return struct.unpack(f"<{len(data) // struct.calcsize(f'<{form}')}{form}", data)
