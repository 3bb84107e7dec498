"""Parquet files of rows in order, most of whose columns change seldom: written by their runs.

Twelve of fourteen columns of `readings` say which series a row is of and how it came, the same for
hundreds of rows; a library that looks at every value of them takes two thirds of a file's time. The
chunks of such columns are made of runs (`cloud.parquet.run_pages`), those of all others by the
library. So passes are written: quickly. `cloud.lake.table.dense` writes what is small instead.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pyarrow as pa

from cloud.lake.table.chunk_file import ChunkFile
from cloud.lake.table.column_runs import runs_of, same_throughout
from cloud.lake.table.taken_chunks import TakenChunks
from cloud.parquet.footer import PageIndex
from cloud.parquet.made import Chunk
from cloud.parquet.run_pages import Runs, chunk_of_nulls, chunk_of_runs

GROUPS_AT_ONCE: Final = 8
"""Row groups that the library writes in one go: each go costs what 2,000 rows do."""
_KEPT_MAX: Final = 256
"""Chunks that are remembered: of a column that never changes, each is as the one before."""


class RunWriter:
    """Writes a file as `pyarrow.parquet.ParquetWriter` does; columns may be null, none is nested.

    ``options`` are those of that writer, zstd its compression.
    """

    def __init__(self, path: Path, schema: pa.Schema, options: Mapping[str, Any]) -> None:
        self._schema = schema
        self._options = options
        self._chunks = RunChunks(options, is_indexed=True)
        self._file = ChunkFile(path, schema)

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.leave()

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
        self._file.close()

    def _write_some(self, rows: pa.Table, group_rows: int) -> None:
        groups = [rows.slice(at, group_rows) for at in range(0, rows.num_rows, group_rows)]
        same = same_throughout(rows, self._schema)
        found = [runs_of(group, self._schema, same) for group in groups]
        others = [name for name in self._schema.names if any(name not in runs for runs in found)]
        taken = TakenChunks(rows.select(others), self._options, group_rows)
        for number, (group, runs) in enumerate(zip(groups, found, strict=True)):
            made = self._chunks.of(runs, group.num_rows)
            for name in others:
                if name not in made:
                    made[name] = taken.chunk(name, number, is_indexed=True)
            self._file.add(made)


class RunChunks:
    """Chunks of columns of runs, and those of columns that never change again."""

    def __init__(self, options: Mapping[str, Any], *, is_indexed: bool) -> None:
        self._bounded = frozenset(options["write_statistics"])
        self._is_indexed = is_indexed
        self._kept: dict[tuple[Any, ...], Chunk] = {}

    def of(self, runs: Mapping[str, Runs | None], rows: int) -> dict[str, Chunk]:
        """The chunks of these columns, of so many rows; None is a column of nulls."""
        return {name: self._chunk(name, rows, held) for name, held in runs.items()}

    def _chunk(self, name: str, rows: int, runs: Runs | None) -> Chunk:
        if runs is not None and len(runs.words) > 1:
            return self._made(name, rows, runs)
        key = (name, rows, runs and runs.words[0])
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            kept = self._kept[key] = self._made(name, rows, runs)
        return kept

    def _made(self, name: str, rows: int, runs: Runs | None) -> Chunk:
        is_told = name in self._bounded
        if runs is None:
            made = chunk_of_nulls(rows, is_told=is_told)
        else:
            made = chunk_of_runs(runs, is_told=is_told)
        if not self._is_indexed:
            return made
        index = PageIndex((made.dictionary, len(made.data)), (0,))
        if made.told is not None:
            bounds = None if runs is None else runs.bounds
            index = replace(index, bounds=(bounds,), nulls=(made.told.nulls,))
        return replace(made, pages=index)
