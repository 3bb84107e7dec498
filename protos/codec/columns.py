"""Pure: integer columns as bytes; layouts in docs/format/block.md, "columns".

Three layers. *Uints*: as many bytes a value as the largest needs, byte planes apart. *Offsets*:
uints above their least value. *Ints*: a column split into segments (one, or one a series), each
coded as offsets from an anchor or as differences between neighbours, whichever is smaller.
All arithmetic is modulo 2**64, so that every int64 survives.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protos.codec.wire import Reader, varint, zigzag
from protos.records import Array

Ints = NDArray[np.int64]
Uints = NDArray[np.uint64]
Parts = list[bytes]

CONSTANT: Final = 0
WHOLE: Final = 1
SEGMENTED: Final = 2
_UNITS: Final = (1, 1_000, 1_000_000)
"""Common factors looked for: times in µs are often whole milliseconds or seconds."""
_SCALE_SHIFT: Final = 4
_OWN_BASE: Final = 16
"""Rows a segment from which a base of its own costs less than it saves."""
_SAMPLE: Final = 64
_HALF: Final = 1 << 63
_WHOLE_RANGE: Final = 1 << 64


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
    changes = np.flatnonzero(values[1:] != values[:-1])
    starts = np.zeros(len(changes) + 1, np.int64)
    np.add(changes, 1, out=starts[1:])
    lengths = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1] = len(values) - starts[-1]
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
    width = _width(reader, field)
    planes = np.frombuffer(reader.take(width * count, field), np.uint8).reshape(width, count)
    values = planes[0].astype(np.uint64) if width else np.zeros(count, np.uint64)
    for plane in range(1, width):
        values |= planes[plane].astype(np.uint64) << np.uint64(8 * plane)
    return values


def _width(reader: Reader, field: str) -> int:
    width = reader.take(1, f"width of {field}")[0]
    if width > 8:
        raise reader.fail(f"a width of {width} bytes", field)
    return width


def put_offsets(out: Parts, values: Ints) -> None:
    """The least value as a zigzag varint, then all values above it as uints."""
    if len(values) == 1:
        out.append(varint(zigzag(int(values[0]))) + b"\0")
        return
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
    remainder = reader.number(f"remainder of {field}", _UNITS[scale] - 1) if scale else 0
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
        few = values[:4].tolist()
        remainder = few[0] % unit
        if all(value % unit == remainder for value in few):
            quotients = values // unit
            if (values - quotients * unit == remainder).all():
                return scale, remainder, quotients
    return 0, 0, values


def _put_segments(out: Parts, values: Ints, segments: Segments) -> None:
    steps = np.empty_like(values)
    steps[0] = 0
    np.subtract(values[1:], values[:-1], out=steps[1:])
    if len(segments.starts) == 1:
        coding, anchors, bases, residuals = _coded_as_one(values, steps)
    else:
        coding, anchors, bases, residuals = _coded(values, steps, segments)
    put_offsets(out, coding)
    put_offsets(out, anchors)
    put_offsets(out, bases)
    put_uints(out, ((residuals << 1) ^ (residuals >> 63)).view(np.uint64))


def _coded(values: Ints, steps: Ints, segments: Segments) -> tuple[Ints, Ints, Ints, Ints]:
    """(1 for steps or 0 for offsets, anchor and base of each segment; residual of each row)."""
    starts, lengths = segments.starts, segments.lengths
    steps[starts] = 0
    centres, bases = _centres(values, starts, lengths), _bases(steps, starts, lengths)
    offsets = values - np.repeat(centres, lengths)
    steps -= np.repeat(bases, lengths)
    steps[starts] = 0
    smooth = _weight(steps, starts) < _weight(offsets, starts)
    bases[~smooth] = 0
    anchors = np.where(smooth, values[starts], centres)
    residuals = steps if smooth.all() else np.where(np.repeat(smooth, lengths), steps, offsets)
    return smooth.astype(np.int64), anchors, bases, residuals


def _coded_as_one(values: Ints, steps: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """``_coded`` of a single segment, at a third of its cost: most columns of a small chunk."""
    last = len(values) - 1
    fifths = range(5)
    centre = sorted(values[[last * i // 4 for i in fifths]].tolist())[2]
    base = sorted(steps[[1 + (last - 1) * i // 4 for i in fifths]].tolist())[2]
    offsets = values - centre
    steps -= base
    steps[0] = 0
    if np.abs(steps.astype(np.float64)).sum() < np.abs(offsets.astype(np.float64)).sum():
        return np.ones(1, np.int64), values[:1], np.array([base], np.int64), steps
    return np.zeros(1, np.int64), np.array([centre], np.int64), np.zeros(1, np.int64), offsets


def _get_segments(reader: Reader, segments: Segments, field: str) -> Ints:
    if (count := len(segments.starts)) == 1:
        return _get_segment(reader, segments.rows, field)
    starts, lengths = segments.starts, segments.lengths
    smooth = _get_coding(reader, count, field)
    anchors = get_offsets(reader, count, f"anchors of {field}")
    bases = get_offsets(reader, count, f"bases of {field}")
    residuals = _unfolded(get_uints(reader, segments.rows, field))
    if smooth is False:
        return residuals + np.repeat(anchors, lengths)
    steps = residuals + np.repeat(bases, lengths)
    steps[starts] = residuals[starts]
    if smooth is not True:
        steps *= np.repeat(smooth, lengths)
    sums = np.cumsum(steps)
    sums += np.repeat(anchors - sums[starts] + steps[starts], lengths)
    if smooth is True:
        return sums
    return np.where(np.repeat(smooth, lengths) == 1, sums, residuals + np.repeat(anchors, lengths))


def _get_coding(reader: Reader, count: int, field: str) -> Ints | bool:
    """Which segments are steps, 0 or 1 each; True or False where all of them are alike."""
    least = reader.signed(f"least of coding of {field}")
    above = get_uints(reader, count, f"coding of {field}")
    low, high = least + int(above.min()), least + int(above.max())
    if low < 0 or high > 1:
        raise reader.fail("a coding that is not of this version", field)
    return bool(low) if low == high else above.view(np.int64) + np.int64(least)


def _get_segment(reader: Reader, rows: int, field: str) -> Ints:
    """``_get_segments`` of a single segment, at a third of its cost."""
    smooth = _get_offset(reader, f"coding of {field}")
    anchor = _get_offset(reader, f"anchors of {field}")
    base = _get_offset(reader, f"bases of {field}")
    if smooth not in (0, 1):
        raise reader.fail("a coding that is not of this version", field)
    values = _unfolded(get_uints(reader, rows, field))
    first = _wrapped(int(values[0]) + anchor)
    values += np.int64(base if smooth else anchor)
    values[0] = first
    return np.cumsum(values, out=values) if smooth else values


def _get_offset(reader: Reader, field: str) -> int:
    """``get_offsets`` of one value, modulo 2**64."""
    least = reader.signed(f"least of {field}")
    return _wrapped(least + int.from_bytes(reader.take(_width(reader, field), field), "little"))


def _wrapped(value: int) -> int:
    """As int64 has it, modulo 2**64."""
    return (value + _HALF) % _WHOLE_RANGE - _HALF


def _unfolded(folded: Uints) -> Ints:
    """Signed numbers from zigzag ones; ``folded`` is used up."""
    signs = (folded & np.uint64(1)).view(np.int64)
    folded >>= np.uint64(1)
    found = folded.view(np.int64)
    found ^= np.negative(signs, out=signs)
    return found


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
