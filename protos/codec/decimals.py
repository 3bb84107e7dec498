"""Pure: float columns as bytes: whole numbers where they are decimals, their own bits elsewhere.

A sensor says 21.4, which as a double is noise to any compressor; as 214 it is one small step from
213. Each segment gets the least power of ten that makes its values whole; a value that does not
come back bit for bit (NaN, infinity, -0.0, 0.1 + 0.2) is kept as an exception, and a segment that
is mostly such values is kept raw. Layout: docs/format/block.md, "floats".
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from protos.codec.columns import (
    CONSTANT,
    SEGMENTED,
    WHOLE,
    Ints,
    Parts,
    Segments,
    get_ints,
    get_offsets,
    get_uints,
    in_row_order,
    one_segment,
    put_ints,
    put_offsets,
    put_uints,
)
from protos.codec.wire import Reader, varint
from protos.limits import DECIMALS_MAX
from protos.records import Array

Floats = NDArray[np.float64]

RAW: Final = 3
"""Form of a column without any decimal segment."""
RAW_SEGMENT: Final = 15
"""In place of the power of ten of a segment kept raw."""
_POWERS: Final = np.array([float(10**k) for k in range(DECIMALS_MAX + 1)])
_POWERS.flags.writeable = False
_EXACT: Final = float(1 << 53)
_MONOTONE: Final = float(1 << 50)
_SAMPLE: Final = 64
"""Values that tell which power a column probably has."""
_MOSTLY: Final = 4
"""A segment is raw when more than one value in this many is an exception."""


def put_floats(out: Parts, values: Floats, segments: Segments | None) -> None:
    """A column of at least one float64; ``segments`` None stands for one segment."""
    bits = values.view(np.int64)
    if bits[-1] == bits[0] and (bits == bits[0]).all():
        out.append(bytes((CONSTANT,)) + bits[:1].tobytes())
        return
    form = WHOLE if segments is None else SEGMENTED
    if segments is None:
        segments = one_segment(len(values))
    elif segments.order is not None:
        values = values[segments.order]
        bits = values.view(np.int64)
    with np.errstate(all="ignore"):
        powers, whole, exact = _as_whole(values, bits, segments)
    if (powers == RAW_SEGMENT).all():
        out.append(bytes((RAW,)))
        put_uints(
            out,
            (values if segments.order is None else in_row_order(values, segments)).view(np.uint64),
        )
        return
    out.append(bytes((form,)))
    put_offsets(out, powers)
    raw = powers == RAW_SEGMENT
    kept_raw = np.repeat(raw, segments.lengths) if raw.any() else np.zeros(len(values), np.bool_)
    exceptions = np.flatnonzero(~(exact | kept_raw))
    out.append(varint(len(exceptions)))
    if len(exceptions):
        put_offsets(out, np.diff(exceptions, prepend=0))
        kept_raw[exceptions] = True
    if kept_raw.any():
        _carry(whole, ~kept_raw)
        put_uints(out, bits[kept_raw].view(np.uint64))
    put_ints(out, whole, None if form == WHOLE else Segments(segments.starts, segments.lengths))


def get_floats(reader: Reader, segments: Segments | None, rows: int, field: str) -> Floats:
    """A column written by ``put_floats``, in row order."""
    form = reader.take(1, f"form of {field}")[0]
    if form == CONSTANT:
        return np.full(rows, np.frombuffer(reader.take(8, field), "<f8")[0])
    if form == RAW:
        return get_uints(reader, rows, field).view(np.float64)
    if form not in (WHOLE, SEGMENTED):
        raise reader.fail(f"form {form:#04x} is not of this version", field)
    if form == WHOLE:
        segments = one_segment(rows)
    elif segments is None:
        raise reader.fail("segments in a table that has none", field)
    powers = get_offsets(reader, len(segments.starts), f"powers of {field}")
    raw = powers == RAW_SEGMENT
    if ((powers < 0) | (powers > DECIMALS_MAX) & ~raw).any():
        raise reader.fail("a power of ten that is not of this version", field)
    kept_raw = np.repeat(raw, segments.lengths) if raw.any() else np.zeros(rows, np.bool_)
    _mark_exceptions(reader, kept_raw, field)
    count = int(np.count_nonzero(kept_raw))
    bits = get_uints(reader, count, f"raw values of {field}") if count else None
    plain = None if form == WHOLE else Segments(segments.starts, segments.lengths)
    whole = get_ints(reader, plain, rows, field)
    scale = _POWERS[np.where(raw, 0, powers)]
    values = whole / (scale[0] if len(scale) == 1 else np.repeat(scale, segments.lengths))
    if bits is not None:
        values[kept_raw] = bits.view(np.float64)
    return in_row_order(values, segments)


def _mark_exceptions(reader: Reader, kept_raw: NDArray[np.bool_], field: str) -> None:
    rows = len(kept_raw)
    count = reader.number(f"exceptions of {field}", rows)
    if count:
        at = np.cumsum(get_offsets(reader, count, f"exceptions of {field}"))
        if at.min() < 0 or at.max() >= rows:
            raise reader.fail(f"an exception outside the {rows} rows", field)
        kept_raw[at] = True


def _as_whole(values: Floats, bits: Ints, segments: Segments) -> tuple[Ints, Ints, Array]:
    """(power of ten of each segment, values times it as whole numbers, which come back exactly)."""
    starts, lengths = segments.starts, segments.lengths
    alike = _of_one_power(values, starts)
    if alike is not None:
        return alike
    least = _least_powers(values)
    found = least <= DECIMALS_MAX
    if found.all():
        powers = np.maximum.reduceat(least, starts)
    else:
        powers = np.maximum.reduceat(np.where(found, least, 0), starts)
        missing = np.add.reduceat(~found, starts, dtype=np.int64)
        powers[missing * _MOSTLY > lengths] = RAW_SEGMENT
    scale = _POWERS[np.where(powers == RAW_SEGMENT, 0, powers)]
    spread = scale[0] if len(scale) == 1 else np.repeat(scale, lengths)
    rounded = np.rint(values * spread)
    whole = rounded.astype(np.int64)
    exact = ((whole / spread).view(np.int64) == bits) & (np.abs(rounded) <= _EXACT)
    return powers.astype(np.int64), whole, exact


def _of_one_power(values: Floats, starts: Ints) -> tuple[Ints, Ints, Array] | None:
    """What `_as_whole` gives, at half its cost, where all segments have one power; else None.

    All values must be whole at that power, and in each segment one not at the power below. Below
    `_MONOTONE` it is whole at no lower power either: m / 10**p times 10**(p+1) is off by less than
    half, so it rounds to 10 m, whose quotient is the same double.
    """
    power = int(_least_powers(values[:: max(1, len(values) // _SAMPLE)]).max())
    if power > DECIMALS_MAX:
        return None
    scale = _POWERS[power]
    rounded = np.rint(values * scale)
    if not max(rounded.max(), -rounded.min()) < _MONOTONE:
        return None
    whole = rounded.astype(np.int64)
    # By bits, and from the whole numbers: -0.0 is none of them.
    if not ((whole / scale).view(np.int64) == values.view(np.int64)).all():
        return None
    if power:
        lower = _POWERS[power - 1]
        is_finer = np.rint(values * lower) / lower != values
        if not np.logical_or.reduceat(is_finer, starts).all():
            return None
    return np.full(len(starts), power), whole, np.ones(len(values), np.bool_)


def _least_powers(values: Floats) -> NDArray[np.uint8]:
    """The least power of ten that makes each value whole; 255 where none does."""
    least = np.full(len(values), 255, np.uint8)
    at: Ints | None = None
    left = values
    for power, scale in enumerate(_POWERS):
        rounded = np.rint(left * scale)
        good = (rounded / scale == left) & (np.abs(rounded) <= _EXACT)
        if at is None:
            least[good] = power
            at = np.flatnonzero(~good)
        else:
            least[at[good]] = power
            at = at[~good]
        if not len(at):
            break
        left = values[at]
    return least


def _carry(whole: Ints, good: NDArray[np.bool_]) -> None:
    """Put the last good number before it in place of each bad one: a step of zero is free."""
    at = np.maximum.accumulate(np.where(good, np.arange(len(whole)), 0))
    whole[:] = np.where(good[at], whole[at], 0)
