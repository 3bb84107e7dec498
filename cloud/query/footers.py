"""What footers of Parquet files say that questions need, in little memory.

A library holds a footer as some 2 KB for each column of each row group: a month of hours of 10,000
series, of 228 groups and 29 columns, as 12 MB, which made a reader parse the same few again and
again. What is needed of a chunk are two numbers and a flag (decision 0091).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cloud.parquet.small import Leaf

SeriesKey = tuple[str, str, str]
"""Gateway, device, metric."""
Bounds = tuple[SeriesKey, SeriesKey]
"""No row has a lower key than the one, none a higher than the other."""
STRANGE: Final = Leaf(-1, -1)
"""A column that is not read here; nobody minds it as long as nobody asks for it."""
_GROUP_BYTES: Final = 900
"""What a row group takes beside its chunks: two keys of three words, two times."""
_COLUMN_BYTES: Final = 300
_INT64_MIN: Final = int(np.iinfo(np.int64).min)
_INT64_MAX: Final = int(np.iinfo(np.int64).max)
_HIGHEST: Final = "\U0010ffff"
_SORTED_BY: Final = ("gateway", "device", "metric")
_TYPES: Final = {"INT32": 1, "INT64": 2, "DOUBLE": 5, "BYTE_ARRAY": 6}
_CODECS: Final = {"UNCOMPRESSED": 0, "ZSTD": 6}


@dataclass(frozen=True, slots=True)
class Column:
    """How a file holds a column: as which leaf, at which place; ``times`` makes µs of its times."""

    leaf: Leaf
    place: int
    times: int


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """Row groups and their columns' chunks, by group and place of the column.

    ``begins`` and ``sizes`` in bytes; ``is_null``: it has no value; ``spans``: the least and the
    greatest ``ts`` of a group in µs, as far as its statistics tell.
    """

    columns: dict[str, Column]
    rows: NDArray[np.int64]
    begins: NDArray[np.int64]
    sizes: NDArray[np.int64]
    is_null: NDArray[np.bool_]
    spans: NDArray[np.int64]
    bounds: list[Bounds]

    @classmethod
    def of(cls, footer: pq.FileMetaData) -> "Chunks":
        """Of a footer, once: 2 µs a chunk."""
        leaves = [footer.schema.column(at) for at in range(footer.num_columns)]
        columns = {
            one.path.split(".")[0]: _column(one, at, footer) for at, one in enumerate(leaves)
        }
        groups = [footer.row_group(at) for at in range(footer.num_row_groups)]
        shape = len(groups), len(leaves)
        told = [_chunk(group.column(at)) for group in groups for at in range(len(leaves))]
        numbers = np.array(told, np.int64).reshape(*shape, 3)
        return cls(
            columns,
            np.array([group.num_rows for group in groups], np.int64),
            numbers[..., 0].copy(),
            numbers[..., 1].copy(),
            numbers[..., 2].astype(bool),
            np.array([_span(group, columns) for group in groups], np.int64).reshape(-1, 2),
            [_bounds(group, columns) for group in groups],
        )

    @property
    def bytes(self) -> int:
        """Memory that all of it takes, about."""
        arrays = (self.rows, self.begins, self.sizes, self.is_null, self.spans)
        numbers = sum(each.nbytes for each in arrays)
        return numbers + _GROUP_BYTES * len(self.rows) + _COLUMN_BYTES * len(self.columns)


def _column(one: Any, place: int, footer: pq.FileMetaData) -> Column:
    codec = footer.row_group(0).column(place).compression if footer.num_row_groups else "ZSTD"
    is_flat = one.max_definition_level == 1 and one.max_repetition_level == 0
    if not is_flat or one.physical_type not in _TYPES or codec not in _CODECS:
        return Column(STRANGE, place, 1)
    kind = one.logical_type.to_json()
    leaf = Leaf(_TYPES[one.physical_type], _CODECS[codec], '"String"' in kind)
    return Column(leaf, place, 1_000 if '"milliseconds"' in kind else 1)


def _chunk(chunk: Any) -> tuple[int, int, bool]:
    """Where it begins, how many bytes it has, and whether it has no value."""
    begin = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        begin = min(begin, chunk.dictionary_page_offset)
    told = chunk.statistics
    is_null = told is not None and told.has_null_count and not told.num_values
    return begin, chunk.total_compressed_size, is_null


def _span(group: Any, columns: dict[str, Column]) -> tuple[int, int]:
    held = columns.get("ts")
    told = None if held is None else group.column(held.place).statistics
    if held is None or told is None or not told.has_min_max:
        return _INT64_MIN, _INT64_MAX
    return told.min_raw * held.times, told.max_raw * held.times


def _bounds(group: Any, columns: dict[str, Column]) -> Bounds:
    """The least and the greatest key that rows of a group may have, by its statistics."""
    low, high = ["", "", ""], [_HIGHEST] * 3
    for at, name in enumerate(_SORTED_BY):
        held = columns.get(name)
        found = None if held is None else group.column(held.place).statistics
        if found is None or not found.has_min_max:
            break
        low[at], high[at] = found.min, found.max
        if found.min != found.max:
            break
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])
