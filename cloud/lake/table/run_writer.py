"""Parquet files of rows in order, most of whose columns change seldom: written by their runs.

Twelve of fourteen columns of `readings` say which series a row is of and how it came, the same for
hundreds of rows; a library that looks at every value of them takes two thirds of a file's time. The
chunks of such columns are made here (`cloud.parquet.run_pages`), those of all others by the
library, in memory, from where they are taken over byte by byte.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.table.schema import SERIES_COLUMNS
from cloud.lake.table.taken_chunks import TakenChunks
from cloud.parquet.footer import CODECS, MAGIC, Chunk, PageIndex, Told, footer, written_as
from cloud.parquet.run_pages import (
    ENCODINGS,
    Runs,
    Written,
    chunk_of_nulls,
    chunk_of_runs,
    text_word,
)

GROUPS_AT_ONCE: Final = 8
"""Row groups that the library writes in one go: each go costs what 2,000 rows do."""
RUN_ROWS_MIN: Final = 16
"""Mean rows of a run below which a column is the library's."""
WORDS_BYTES_MAX: Final = 64 << 10
"""Of a dictionary made here; longer ones are the library's, which then leaves them out."""
_KEPT_MAX: Final = 256
"""Chunks that are remembered: of a column that never changes, each is as the one before."""
_FEW: Final = 64
"""Values that are numbered sooner one by one than all at once."""
_ZSTD: Final = CODECS["ZSTD"]

Ints = NDArray[np.int64]


class RunWriter:
    """Writes a file as `pyarrow.parquet.ParquetWriter` does; columns may be null, none is nested.

    ``options`` are those of that writer, zstd its compression.
    """

    def __init__(self, path: Path, schema: pa.Schema, options: Mapping[str, Any]) -> None:
        self._schema = schema
        self._options = options
        self._groups: list[list[Chunk]] = []
        self._kept: dict[tuple[Any, ...], _Made] = {}
        self._compress = {
            name: _packer(options["compression_level"][name]) for name in schema.names
        }
        self._how = {field.name: written_as(field, _ZSTD, ENCODINGS) for field in schema}
        self._bounded = frozenset(options["write_statistics"])
        self._file = path.open("wb")
        self._at = self._file.write(MAGIC)

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    def write(self, rows: pa.Table, group_rows: int) -> None:
        """Append rows, in the schema given, in row groups of so many."""
        at_once = group_rows * GROUPS_AT_ONCE
        for begin in range(0, rows.num_rows, at_once):
            some = rows.slice(begin, at_once)
            if any(column.num_chunks != 1 for column in some.columns):
                some = some.unify_dictionaries().combine_chunks()
            self._write_some(some, group_rows)

    def close(self) -> None:
        """Write what tells of the columns; nothing more may come."""
        if not self._file.closed:
            self._file.write(footer(self._schema, self._groups, self._at))
            self._file.close()

    def _write_some(self, rows: pa.Table, group_rows: int) -> None:
        groups = [rows.slice(at, group_rows) for at in range(0, rows.num_rows, group_rows)]
        same = _same(rows, self._schema)
        found = [_runs_of(group, self._schema, same) for group in groups]
        others = [name for name in self._schema.names if any(name not in runs for runs in found)]
        taken = TakenChunks(rows.select(others), self._options, group_rows)
        for number, (group, runs) in enumerate(zip(groups, found, strict=True)):
            chunks = []
            for name in self._schema.names:
                if name in runs:
                    chunk, data = self._chunk(name, group.num_rows, runs[name])
                else:
                    chunk, data = taken.chunk(name, number, self._at)
                self._at += self._file.write(data)
                chunks.append(chunk)
            self._groups.append(chunks)

    def _chunk(self, name: str, rows: int, runs: Runs | None) -> tuple[Chunk, bytes]:
        """The chunk of a column of runs, None: of nulls, as it will lie next."""
        if runs is not None and len(runs.words) > 1:
            made = self._made(name, rows, runs)
        else:
            key = (name, rows, runs and runs.words[0])
            kept = self._kept.get(key)
            if kept is None:
                if len(self._kept) >= _KEPT_MAX:
                    self._kept.clear()
                kept = self._kept[key] = self._made(name, rows, runs)
            made = kept
        of = made.written
        size, words = len(of.data), of.dictionary
        how, plain = self._how[name], of.plain_bytes
        return Chunk(how, rows, self._at, words, size, plain, made.told, made.pages), of.data

    def _made(self, name: str, rows: int, runs: Runs | None) -> "_Made":
        pack = self._compress[name]
        made = chunk_of_nulls(rows, pack) if runs is None else chunk_of_runs(runs, pack)
        nulls = rows if runs is None else 0
        places = (made.dictionary, len(made.data))
        if name not in self._bounded:
            return _Made(made, None, PageIndex(places, (0,)))
        bounds = _bounds(runs)
        return _Made(
            made, Told(nulls, *(bounds or ())), PageIndex(places, (0,), (bounds,), (nulls,))
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """A chunk of runs, wherever it will lie."""

    written: Written
    told: Told | None
    pages: PageIndex


def _packer(level: int) -> Callable[[bytes], bytes]:
    codec = pa.Codec("zstd", compression_level=level)
    return lambda plain: codec.compress(plain, asbytes=True)


def _bounds(runs: Runs | None) -> tuple[bytes, bytes] | None:
    """The least and the greatest text of a column; None for one of nulls or of numbers."""
    if runs is None or not runs.is_text:
        return None
    plain = [word[4:] for word in runs.words]
    return min(plain), max(plain)


def _same(rows: pa.Table, schema: pa.Schema) -> dict[str, bytes | None]:
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


def _runs_of(
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
