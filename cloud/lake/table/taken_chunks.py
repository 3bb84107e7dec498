"""Chunks that the library writes, in memory, to be taken over into a file of ours."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cloud.parquet.footer import PageIndex, Told
from cloud.parquet.made import Chunk, Encoding
from cloud.parquet.pages import pages_of

_Bounds = list[tuple[bytes, bytes] | None]


class TakenChunks:
    """Columns of some row groups as the library writes them; none of them may be nested.

    ``options`` are those of `pyarrow.parquet.ParquetWriter`, zstd its compression.
    """

    def __init__(self, rows: pa.Table, options: Mapping[str, Any], group_rows: int) -> None:
        self._rows = rows
        self._group_rows = group_rows
        self._bounded = frozenset(options["write_statistics"])
        names = rows.schema.names
        if not names:
            return
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(sink, rows.schema, **_options_for(options, names)) as writer:
            writer.write_table(rows, group_rows)
        self._data = sink.getvalue()
        self._footer = pq.read_metadata(pa.BufferReader(self._data))

    def chunk(self, name: str, group: int, *, is_indexed: bool) -> Chunk:
        """One of them; ``is_indexed``: with an index of its pages."""
        of = self._footer.row_group(group).column(self._rows.schema.get_field_index(name))
        begin, size = of.data_page_offset, of.total_compressed_size
        if of.has_dictionary_page and of.dictionary_page_offset:
            begin = min(begin, of.dictionary_page_offset)
        data = self._data.slice(begin, size).to_pybytes()
        pages = pages_of(data)
        told: Told | None = None
        bounds: _Bounds | None = None
        nulls: Sequence[int] = ()
        starts = pages.rows.tolist() if is_indexed else [0, pages.rows[-1]]
        if name in self._bounded:
            held = self._rows[name].chunk(0).slice(group * self._group_rows, starts[-1])
            told, bounds, nulls = _told(held, starts)
        encodings = tuple(int(Encoding[one]) for one in of.encodings)
        index = PageIndex(pages.places.tolist(), starts[:-1], bounds, nulls) if is_indexed else None
        dictionary, plain = pages.places[0], of.total_uncompressed_size
        return Chunk(data, dictionary, plain, starts[-1], encodings, told, index)


def _options_for(options: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Of a writer's options those for some columns; statistics and page index are ours to make."""
    levels, encoding = options["compression_level"], options["column_encoding"]
    return {
        **options,
        "compression_level": {name: levels[name] for name in names},
        "column_encoding": {name: how for name, how in encoding.items() if name in names},
        "use_dictionary": [name for name in options["use_dictionary"] if name in names],
        "write_statistics": False,
        "write_page_index": False,
    }


def _told(column: pa.Array, starts: Sequence[int]) -> tuple[Told, _Bounds, list[int]]:
    """The statistics of a chunk, the bounds of its pages, and their nulls."""
    if pa.types.is_dictionary(column.type):
        return _told_of_texts(column, starts)
    assert pa.types.is_timestamp(column.type), column.type
    values = column.view(pa.int64()).to_numpy(zero_copy_only=True)  # of times none is null
    low = np.minimum.reduceat(values, starts[:-1]).astype("<i8")
    high = np.maximum.reduceat(values, starts[:-1]).astype("<i8")
    bounds: _Bounds = [(a.tobytes(), b.tobytes()) for a, b in zip(low, high, strict=True)]
    return Told(0, low.min().tobytes(), high.max().tobytes()), bounds, [0] * len(bounds)


def _told_of_texts(column: pa.Array, starts: Sequence[int]) -> tuple[Told, _Bounds, list[int]]:
    bounds: _Bounds = []
    nulls = []
    for start, end in pairwise(starts):
        page = column.slice(start, end - start)
        held = [word.encode() for word in page.unique().drop_null().cast(pa.string()).to_pylist()]
        bounds.append((min(held), max(held)) if held else None)
        nulls.append(page.null_count)
    known = [one for one in bounds if one is not None]
    low_high = (min(low for low, _ in known), max(high for _, high in known)) if known else ()
    return Told(sum(nulls), *low_high), bounds, nulls
