"""Pure: integer and string columns as bytes; layouts in docs/format/block.md, "columns".

Three layers. *Uints*: as many bytes a value as the largest needs, byte planes apart. *Offsets*:
uints above their least value. *Ints*: a column split into segments (one, or one a series), each
coded as offsets from an anchor or as differences between neighbours, whichever is smaller.
All arithmetic is modulo 2**64, so that every int64 survives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from protos.records import Array
from protos.wire import Reader, varint, zigzag

Ints = NDArray[np.int64]
Uints = NDArray[np.uint64]
Parts = list[bytes]
T = TypeVar("T")

CONSTANT: Final = 0
WHOLE: Final = 1
SEGMENTED: Final = 2
_UNITS: Final = (1, 1_000, 1_000_000)
"""Common factors looked for: times in µs are often whole milliseconds or seconds."""
_SCALE_SHIFT: Final = 4
_OWN_BASE: Final = 16
"""Rows a segment from which a base of its own costs less than it saves."""
_SAMPLE: Final = 64


@dataclass(frozen=True, slots=True)
class Segments:
    """How rows fall into segments: ``order`` brings rows into segment order (None: they are)."""

    starts: Ints
    lengths: Ints
    order: Ints | None = None

    @property
    def rows(self) -> int:
        """Rows of all segments."""
        return int(self.starts[-1] + self.lengths[-1])


def one_segment(rows: int) -> Segments:
    """All rows as one segment."""
    return Segments(np.zeros(1, np.int64), np.array([rows], np.int64))


def runs(values: Array, order: Ints | None = None) -> Segments:
    """A segment for each run of equal neighbours in ``values``."""
    starts = np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1))
    lengths = np.diff(starts, append=len(values))
    return Segments(starts, lengths, order)


# --- uints and offsets ----------------------------------------------------------------------


def put_uints(out: Parts, values: Uints) -> None:
    """Width in bytes (0 to 8), then that many planes, the lowest bytes first."""
    width = (int(values.max()).bit_length() + 7) // 8 if len(values) else 0
    out.append(bytes((width,)))
    octets = values.view(np.uint8).reshape(-1, 8)
    for plane in range(width):
        out.append(octets[:, plane].tobytes())


def get_uints(reader: Reader, count: int, field: str) -> Uints:
    """``count`` values written by ``put_uints``."""
    width = reader.take(1, f"width of {field}")[0]
    if width > 8:
        raise reader.fail(f"a width of {width} bytes", field)
    planes = np.frombuffer(reader.take(width * count, field), np.uint8).reshape(width, count)
    values = planes[0].astype(np.uint64) if width else np.zeros(count, np.uint64)
    for plane in range(1, width):
        values |= planes[plane].astype(np.uint64) << np.uint64(8 * plane)
    return values


def put_offsets(out: Parts, values: Ints) -> None:
    """The least value as a zigzag varint, then all values above it as uints."""
    least = values.min()
    out.append(varint(zigzag(int(least))))
    put_uints(out, (values - least).view(np.uint64))


def get_offsets(reader: Reader, count: int, field: str) -> Ints:
    """``count`` values written by ``put_offsets``."""
    least = reader.signed(f"least of {field}")
    return get_uints(reader, count, field).view(np.int64) + np.int64(least)


# --- ints -----------------------------------------------------------------------------------


def put_ints(out: Parts, values: Ints, segments: Segments | None) -> None:
    """A column of at least one int64; ``segments`` None stands for one segment."""
    first = values[0]
    if values[-1] == first and (values == first).all():
        out.append(bytes((CONSTANT,)) + varint(zigzag(int(first))))
        return
    form = WHOLE if segments is None else SEGMENTED
    scale, remainder, values = _without_unit(values)
    out.append(bytes((form | scale << _SCALE_SHIFT,)))
    if scale:
        out.append(varint(remainder))
    if segments is None:
        segments = one_segment(len(values))
    elif segments.order is not None:
        values = values[segments.order]
    _put_segments(out, values, segments)


def get_ints(reader: Reader, segments: Segments | None, rows: int, field: str) -> Ints:
    """A column written by ``put_ints``, in row order."""
    head = reader.take(1, f"form of {field}")[0]
    form, scale = head & 0xF, head >> _SCALE_SHIFT
    if form == CONSTANT and scale == 0:
        return np.full(rows, reader.signed(field), np.int64)
    if form not in (WHOLE, SEGMENTED) or scale >= len(_UNITS):
        raise reader.fail(f"form {head:#04x} is not of this version", field)
    remainder = reader.number(f"remainder of {field}", _UNITS[scale]) if scale else 0
    if form == WHOLE:
        segments = one_segment(rows)
    elif segments is None:
        raise reader.fail("segments in a table that has none", field)
    values = _get_segments(reader, segments, field)
    if scale:
        values = values * np.int64(_UNITS[scale]) + np.int64(remainder)
    return in_row_order(values, segments)


def in_row_order(values: Array, segments: Segments) -> Array:
    """``values`` of segment order brought back to row order."""
    if segments.order is None:
        return values
    rows = np.empty_like(values)
    rows[segments.order] = values
    return rows


def _without_unit(values: Ints) -> tuple[int, int, Ints]:
    """(scale, remainder, quotients) with the largest unit all ``values`` share, modulo it."""
    for scale in (2, 1):
        unit = _UNITS[scale]
        remainder = int(values[0]) % unit
        few = values[:8]
        if (few - few // unit * unit == remainder).all():
            quotients = values // unit
            if (values - quotients * unit == remainder).all():
                return scale, remainder, quotients
    return 0, 0, values


def _put_segments(out: Parts, values: Ints, segments: Segments) -> None:
    starts, lengths = segments.starts, segments.lengths
    steps = np.empty_like(values)
    steps[0] = 0
    np.subtract(values[1:], values[:-1], out=steps[1:])
    steps[starts] = 0
    centres, bases = _centres(values, starts, lengths), _bases(steps, starts, lengths)
    offsets = values - _spread(centres, lengths)
    steps -= _spread(bases, lengths)
    steps[starts] = 0
    smooth = _weight(steps, starts) < _weight(offsets, starts)
    bases[~smooth] = 0
    anchors = np.where(smooth, values[starts], centres)
    put_offsets(out, smooth.astype(np.int64))
    put_offsets(out, anchors)
    put_offsets(out, bases)
    residuals = steps if smooth.all() else np.where(_spread(smooth, lengths), steps, offsets)
    put_uints(out, ((residuals << 1) ^ (residuals >> 63)).view(np.uint64))


def _get_segments(reader: Reader, segments: Segments, field: str) -> Ints:
    starts, lengths = segments.starts, segments.lengths
    count = len(starts)
    smooth = get_offsets(reader, count, f"coding of {field}")
    anchors = get_offsets(reader, count, f"anchors of {field}")
    bases = get_offsets(reader, count, f"bases of {field}")
    if ((smooth < 0) | (smooth > 1)).any():
        raise reader.fail("a coding that is not of this version", field)
    folded = get_uints(reader, segments.rows, field)
    residuals = (folded >> np.uint64(1)).view(np.int64) ^ -(folded & np.uint64(1)).view(np.int64)
    if not smooth.any():
        return residuals + _spread(anchors, lengths)
    steps = residuals + _spread(bases, lengths)
    steps[starts] = residuals[starts]
    if not smooth.all():
        steps *= _spread(smooth, lengths)
    sums = np.cumsum(steps)
    sums += _spread(anchors - sums[starts] + steps[starts], lengths)
    if smooth.all():
        return sums
    return np.where(_spread(smooth, lengths) == 1, sums, residuals + _spread(anchors, lengths))


def _spread(a: Array, lengths: Ints) -> Array:
    """The value of each segment for each of its rows; one value stands for all by broadcast."""
    return a if len(a) == 1 else np.repeat(a, lengths)


def _weight(residuals: Ints, starts: Ints) -> Array:
    """How large the residuals of each segment are together: a cheap stand-in for their size."""
    return np.add.reduceat(np.abs(residuals.astype(np.float64)), starts)


def _centres(values: Ints, starts: Ints, lengths: Ints) -> Ints:
    """A middling value of each segment: the median of five, which an outlier cannot drag away."""
    at = starts[:, None] + (lengths[:, None] - 1) * np.arange(5) // 4
    return np.sort(values[at], axis=1)[:, 2]


def _bases(steps: Ints, starts: Ints, lengths: Ints) -> Ints:
    """A middling step of each segment, or one for all where segments are short."""
    if len(steps) < _OWN_BASE * len(starts):
        few = np.sort(steps[:: max(1, len(steps) // _SAMPLE)])
        return np.full(len(starts), few[len(few) // 2], np.int64)
    span = np.maximum(lengths[:, None] - 2, 0)
    at = starts[:, None] + np.minimum(1, lengths[:, None] - 1) + span * np.arange(5) // 4
    return np.sort(steps[at], axis=1)[:, 2]


# --- strings and ids ------------------------------------------------------------------------


def put_strings(out: Parts, values: Sequence[str], bytes_max: int) -> None:
    """Distinct strings in order of first use, then the number of each row's string.

    ValueError when one is over ``bytes_max`` bytes of UTF-8, or is not Unicode text at all.
    """
    codes, distinct = _distinct(values)
    encoded = [value.encode("utf-8") for value in distinct]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    if lengths.max() > bytes_max:
        raise ValueError(f"a string of {lengths.max()} bytes, {bytes_max} are the limit")
    out.append(varint(len(encoded)))
    put_offsets(out, lengths)
    out.append(b"".join(encoded))
    put_ints(out, codes, None)


def get_strings(reader: Reader, rows: int, bytes_max: int, field: str) -> Array:
    """A column written by ``put_strings`` as an object array."""
    count = reader.number(f"distinct strings of {field}", rows)
    lengths = get_offsets(reader, count, f"lengths of {field}")
    if ((lengths < 0) | (lengths > bytes_max)).any():
        raise reader.fail(f"a string over the limit of {bytes_max} bytes", field)
    ends = np.cumsum(lengths).tolist()
    blob = reader.take(ends[-1] if count else 0, field)
    distinct = np.empty(count, object)
    try:
        distinct[:] = [blob[a:b].decode() for a, b in zip([0, *ends], ends, strict=False)]
    except UnicodeDecodeError as cause:
        raise reader.fail(f"not UTF-8 ({cause.reason})", field) from cause
    return distinct[_codes(reader, rows, count, field)]


def put_ids(out: Parts, values: Sequence[bytes]) -> None:
    """Distinct 16-byte ids in order of first use, then the number of each row's id."""
    codes, distinct = _distinct(values)
    out.append(varint(len(distinct)) + b"".join(distinct))
    put_ints(out, codes, None)


def get_ids(reader: Reader, rows: int, field: str) -> Array:
    """A column written by ``put_ids`` as a ``V16`` array."""
    count = reader.number(f"distinct ids of {field}", rows)
    distinct = np.frombuffer(reader.take(16 * count, field), "V16")
    return distinct[_codes(reader, rows, count, field)]


def _distinct(values: Sequence[T]) -> tuple[Ints, list[T]]:
    numbers: dict[T, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values]
    return np.array(codes, np.int64), list(numbers)


def _codes(reader: Reader, rows: int, count: int, field: str) -> Ints:
    codes = get_ints(reader, None, rows, field)
    if rows and not 0 <= int(codes.min()) <= int(codes.max()) < count:
        raise reader.fail(f"a row names none of the {count} distinct values", field)
    return codes
