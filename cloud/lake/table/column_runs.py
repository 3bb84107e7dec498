"""Which columns of rows in order change seldom, and where: found without looking at every value."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.table.schema import SERIES_COLUMNS
from cloud.parquet.run_pages import Runs, text_word

RUN_ROWS_MIN: Final = 16
"""Mean rows of a run below which a column is the library's."""
WORDS_BYTES_MAX: Final = 64 << 10
"""Of a dictionary made of runs; longer ones are the library's, which then leaves them out."""
_FEW: Final = 64
"""Values that are numbered sooner one by one than all at once."""

Ints = NDArray[np.int64]


def same_throughout(rows: pa.Table, schema: pa.Schema) -> dict[str, bytes | None]:
    """The columns that have one value in all rows, with it as a word; None for a null."""
    found: dict[str, bytes | None] = {}
    for field in schema:
        column = rows[field.name].chunk(0)
        is_text = pa.types.is_dictionary(field.type)
        if column.null_count == len(column):
            found[field.name] = None
        elif not column.null_count and (is_text or pa.types.is_integer(field.type)):
            values = (column.indices if is_text else column).to_numpy()
            if values[0] == values[-1] and (values == values[0]).all():
                (found[field.name],) = _words(column, values[:1].tolist(), is_text=is_text)
    return found


def runs_of(
    rows: pa.Table, schema: pa.Schema, same: Mapping[str, bytes | None]
) -> dict[str, Runs | None]:
    """The columns of few runs; None for one that is null in all rows."""
    found: dict[str, Runs | None] = {}
    starts = _starts(rows["series"].chunk(0).to_numpy())
    for field in schema:
        if field.name in same:
            word = same[field.name]
            is_text = pa.types.is_dictionary(field.type)
            one_run = np.array([rows.num_rows])
            found[field.name] = None if word is None else Runs(_ZERO, one_run, [word], is_text)
            continue
        column = rows[field.name].chunk(0)
        if column.null_count:
            if column.null_count == len(column):
                found[field.name] = None
            continue
        if field.name in SERIES_COLUMNS:
            runs = _runs_at(column, starts)
        elif pa.types.is_integer(field.type):
            runs = _runs_at(column, _starts(column.to_numpy()))
        else:
            continue
        if runs is not None:
            found[field.name] = runs
    return found


def _runs_at(column: pa.Array, starts: Ints) -> Runs | None:
    """The runs of a column that changes at most at ``starts``; None where they are many."""
    rows = len(column)
    if len(starts) * RUN_ROWS_MIN > max(rows, RUN_ROWS_MIN):
        return None
    is_text = pa.types.is_dictionary(column.type)
    values = (column.indices if is_text else column).to_numpy()[starts]
    if len(values) > 1:
        own = _starts(values)
        starts, values = starts[own], values[own]
    if len(values) == 1:
        words = _words(column, values.tolist(), is_text=is_text)
        return Runs(_ZERO, np.array([rows]), words, is_text)
    lengths = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1] = rows - starts[-1]
    used, codes = _numbered(values)
    words = _words(column, used, is_text=is_text)
    small = sum(map(len, words)) <= WORDS_BYTES_MAX
    return Runs(codes, lengths, words, is_text) if small else None


def _numbered(values: NDArray[Any]) -> tuple[list[int], Ints]:
    """The values that there are, and the place of each one's among them."""
    if len(values) > _FEW:
        used, codes = np.unique(values, return_inverse=True)
        return used.tolist(), codes
    code_of: dict[int, int] = {}
    found = [code_of.setdefault(value, len(code_of)) for value in values.tolist()]
    return list(code_of), np.array(found, np.int64)


def _words(column: pa.Array, values: list[int], *, is_text: bool) -> list[bytes]:
    """What a dictionary has for these numbers, of a column of texts for those they stand for."""
    if is_text:
        held = column.dictionary
        return [text_word(held[value].as_py().encode()) for value in values]
    size = max(column.type.bit_width // 8, 4)
    return [value.to_bytes(size, "little", signed=True) for value in values]


def _starts(values: NDArray[Any]) -> Ints:
    """The first of each run of equal neighbours."""
    starts = np.flatnonzero(values[1:] != values[:-1])
    starts += 1
    return np.concatenate([_ZERO, starts])


_ZERO: Final = np.zeros(1, np.int64)
