"""How the columns of one Parquet file are written: what suits its rows, found by trying.

A time is a whole millisecond more often than not; then the file says so and its times take half
the bytes. Any reader of Parquet gives such a column back in the table's own unit. Which encoding
is smaller depends on whether times come at an exact cadence and values in few distinct ones: the
first rows are written each way, in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cloud.lake.table.schema import TableSpec
from cloud.rollup.partials import DAY_US

ZSTD_LEVEL: Final = 3
_TIME_LEVEL: Final = 1
"""Higher levels take longer over times that jitter, and find no more in them."""
_TRIED_ROWS: Final = 16_384
_TRIED_ROWS_MIN: Final = 4_096
"""A file of fewer rows will be merged, and tried then."""
_BOUNDED: Final = ("gateway", "device", "metric", "ts", "text", "last_text", "head", "tail")
"""Columns with statistics in each row group: by what rows are sorted, and what is mostly null."""
MILLIS: Final = pa.timestamp("ms", "UTC")
"""The type of a column of times in a file whose times are all whole milliseconds."""
_DELTA: Final = "DELTA_BINARY_PACKED"
_DICTIONARY: Final = "PLAIN_DICTIONARY"
_PLAIN: Final = "PLAIN"
PAGE_BYTES: Final = 16 << 10
"""Of a page before it is compressed: 2,048 numbers. `cloud.query.files` reads single pages."""
ROLLUP_PAGE_BYTES: Final = 8 << 10
"""A question wants all columns of a few hundred rows of a rollup."""
DICTIONARY_BYTES_MAX: Final = 64 << 10
"""Of the words of one column in a row group, which are read with every page; then plain ones."""
_TRIED: Final = MappingProxyType(
    {
        **dict.fromkeys(("ts", "first_ts", "last_ts"), (_DELTA, _PLAIN)),
        "value": (_DICTIONARY, _PLAIN),
        "held_us": (_DICTIONARY, _DELTA),
    }
)
"""Encodings of which the smallest is taken."""
_SIMPLE: Final = frozenset(
    {"sum", "min", "max", "first", "last", "integral", "reset_sum", "count", "valid", "part"}
    | {"bins", "bin_counts"}
)
"""Columns of rollups that mostly differ: plain ones are the smallest, and the soonest read."""
_SIMPLE_OF_DAYS: Final = frozenset({"ts", "first_ts", "last_ts"})
"""A question for days reads a few rows of many series."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one file is written: times in ``millis`` are stored so, ``options`` are the writer's."""

    millis: tuple[str, ...]
    options: Mapping[str, Any]

    def of(self, rows: pa.Table) -> pa.Table:
        """Rows of the table as the file holds them."""
        for name in self.millis:
            index = rows.schema.get_field_index(name)
            rows = rows.set_column(index, name, rows[name].cast(MILLIS))
        return rows


def form_of(rows: pa.Table, spec: TableSpec) -> Form:
    """The form in which these rows, in order, take the least room, as far as trying tells."""
    return form_for(rows, spec, rows.num_rows, is_millis=whole_millis(rows["ts"]))


def form_for(first: pa.Table, spec: TableSpec, rows: int, *, is_millis: bool) -> Form:
    """The form of a file of so many rows, of which the ``first``, in order, are here.

    ``is_millis``: all of its times are whole milliseconds.
    """
    tried = rows >= _TRIED_ROWS_MIN
    millis = ("ts",) if tried and is_millis else ()
    encoding = {name: _DELTA if name in spec.delta else _DICTIONARY for name in spec.schema.names}
    encoding |= dict.fromkeys(_simple(spec), _PLAIN)
    if tried:
        sample = Form(millis, {}).of(first.slice(0, _TRIED_ROWS))
        for name, encodings in _TRIED.items():
            if name in encoding and encoding[name] != _PLAIN:
                encoding[name] = _smallest(sample, name, encodings)
    return Form(millis, _options(encoding, ROLLUP_PAGE_BYTES if spec.width_us else PAGE_BYTES))


def _simple(spec: TableSpec) -> frozenset[str]:
    """Columns that are written plain whatever they hold."""
    if not spec.width_us:
        return frozenset()
    simple = _SIMPLE | _SIMPLE_OF_DAYS if spec.width_us >= DAY_US else _SIMPLE
    return simple.intersection(spec.schema.names)


def whole_millis(column: pa.ChunkedArray) -> bool:
    """Whether all times of a column, in µs, are whole milliseconds."""
    chunks = (chunk.view(pa.int64()).to_numpy(zero_copy_only=False) for chunk in column.chunks)
    return all(bool((ts // 1000 * 1000 == ts).all()) for ts in chunks)


def _smallest(rows: pa.Table, name: str, encodings: tuple[str, ...]) -> str:
    """Of encodings of a column the one that makes it smallest; the first of equals."""
    sizes = []
    for encoding in encodings:
        sink = pa.BufferOutputStream()
        options = _options({name: encoding}, PAGE_BYTES)
        with pq.ParquetWriter(sink, rows.select([name]).schema, **options) as to:
            to.write_table(rows.select([name]))
        sizes.append(sink.tell())
    return encodings[int(np.argmin(sizes))]


def _options(encoding: Mapping[str, str], page_bytes: int) -> dict[str, Any]:
    levels = {name: _TIME_LEVEL if name == "ts" else ZSTD_LEVEL for name in encoding}
    return {
        "version": "2.6",
        "compression": "zstd",
        "compression_level": levels,
        "use_dictionary": [name for name, how in encoding.items() if how == _DICTIONARY],
        "column_encoding": {name: how for name, how in encoding.items() if how != _DICTIONARY},
        "write_statistics": [name for name in encoding if name in _BOUNDED],
        "store_schema": False,
        "write_page_checksum": True,
        "write_page_index": True,
        "data_page_size": page_bytes,
        "dictionary_pagesize_limit": DICTIONARY_BYTES_MAX,
    }
