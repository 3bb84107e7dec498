"""Values of files: numbers, states and texts, column by column.

A number is a decimal one, in the column's own decimal sign; `true` and `false` are states 1 and 0;
an empty cell and what other systems write in its place (`NaN`, `null`, `unavailable`) is no
reading; any other text is a text. What a cell means never depends on its neighbours.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloud.imports.piece import Reason, Texts, Values, words_array
from protos.limits import TEXT_BYTES_MAX

MISSING: Final = ("", "nan", "null", "none", "na", "n/a", "#n/a", "unavailable", "unknown", "-")
"""In small letters, without blanks around."""
_NUMBER: Final = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_INFINITE: Final = ("inf", "+inf", "-inf", "infinity", "+infinity", "-infinity")

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A column sorted out: rows that are numbers with their values, states, and texts.

    ``rejected``: rows and why; ``missing``: cells without a reading.
    """

    numbers: tuple[Rows, Values]
    states: tuple[Rows, Values]
    texts: tuple[Rows, Texts]
    rejected: tuple[tuple[int, Reason], ...]
    missing: int


_NONE: Final = np.empty(0, np.int64)
_NO_VALUES: Final = np.empty(0, np.float64)


def can_hold_readings(kind: pa.DataType) -> bool:
    """Whether a column of this type has values that `read_cells` takes."""
    types = pa.types
    if types.is_dictionary(kind):
        return can_hold_readings(kind.value_type)
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_boolean(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_null(kind)
    )


def read_cells(column: pa.Array, decimal: str = ".") -> Cells:
    """Sort a column out; ``decimal`` is the sign of numbers in texts."""
    types, kind = pa.types, column.type
    if types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if types.is_string(kind) or types.is_large_string(kind):
        return _of_texts(column, decimal)
    valid = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    if types.is_null(kind) or not len(valid):
        return Cells(_nothing(), _nothing(), (_NONE, words_array([])), (), len(column))
    values = pc.drop_null(column).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if types.is_boolean(kind):
        states = (valid, values)
        texts = (_NONE, words_array([]))
        return Cells(_nothing(), states, texts, (), len(column) - len(valid))
    return _numbers_of(valid, values, len(column))


def _nothing() -> tuple[Rows, Values]:
    return _NONE, _NO_VALUES


def _numbers_of(rows: Rows, values: Values, count: int) -> Cells:
    """Cells of numbers alone: NaN is none, the infinite is refused."""
    finite = np.isfinite(values)
    rejected = tuple((row, Reason.NOT_FINITE) for row in rows[np.isinf(values)].tolist())
    kept = (rows, values) if finite.all() else (rows[finite], values[finite])
    missing = count - len(kept[0]) - len(rejected)
    return Cells(kept, _nothing(), (_NONE, words_array([])), rejected, missing)


def _of_texts(column: pa.Array, decimal: str) -> Cells:
    trimmed = pc.utf8_trim_whitespace(column)
    plain = trimmed if decimal == "." else _with_point(trimmed, decimal)
    quick = _all_numbers(plain)
    if quick is not None:
        return quick
    is_number = _mask(pc.match_substring_regex(plain, _NUMBER))
    lower = pc.utf8_lower(trimmed)
    is_missing = _mask(pc.is_in(lower, pa.array(MISSING, lower.type))) | _mask(column.is_null())
    is_infinite = _mask(pc.is_in(lower, pa.array(_INFINITE, lower.type)))
    is_true, is_false = (_mask(pc.equal(lower, word)) for word in ("true", "false"))
    is_long = _mask(pc.greater(pc.binary_length(column), TEXT_BYTES_MAX))
    taken = is_number | is_missing | is_infinite | is_true | is_false
    is_text = ~taken & ~is_long
    rows = np.flatnonzero(is_number)
    digits = pc.utf8_ltrim(plain.filter(pa.array(is_number)), "+")
    values = digits.cast(pa.float64()).to_numpy(zero_copy_only=False)
    cells = _numbers_of(rows, values, len(rows))
    states = np.flatnonzero(is_true | is_false)
    why = [(row, Reason.NOT_FINITE) for row in np.flatnonzero(is_infinite).tolist()]
    why += [(row, Reason.LONG_TEXT) for row in np.flatnonzero(is_long & ~taken).tolist()]
    texts = words_array(column.filter(pa.array(is_text)).to_pylist())
    return Cells(
        cells.numbers,
        (states, is_true[states].astype(np.float64)),
        (np.flatnonzero(is_text), texts),
        (*cells.rejected, *why),
        int(is_missing.sum()) + cells.missing,
    )


def _all_numbers(column: pa.Array) -> Cells | None:
    """The quick way for a column without any other text; None when there is one."""
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    try:
        values = column.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    found = pc.drop_null(values).to_numpy(zero_copy_only=False)
    # What Arrow reads beyond our own form of a number, as `inf` and `nan`, is not finite.
    return _numbers_of(rows, found, len(column)) if np.isfinite(found).all() else None


def _with_point(column: pa.Array, decimal: str) -> pa.Array:
    """Numbers with a point; a cell that has one already is none, and stays a text."""
    has_point = pc.match_substring(column, ".")
    replaced = pc.replace_substring(column, decimal, ".")
    return pc.if_else(has_point, pc.binary_join_element_wise(column, "?", ""), replaced)


def _mask(column: pa.Array) -> NDArray[np.bool_]:
    filled: NDArray[np.bool_] = pc.fill_null(column, False).to_numpy(zero_copy_only=False)
    return filled
