"""CSV files, read in blocks of a bounded size; every cell is judged by itself."""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv

from cloud.errors import OperatorError
from cloud.imports.columns import lay_out
from cloud.imports.csv_form import CsvForm, sniff
from cloud.imports.piece import Keys, Piece, Reason, Reject
from cloud.imports.source import HEAD_BYTES, Wish
from cloud.imports.table_rows import TableReader
from cloud.imports.utf8_stream import REPLACED, Utf8Stream

LINE_BYTES_MAX: Final = 1 << 20
"""A block that is read at once, and so the longest line."""
SKIPPED_MAX: Final = 100_000
"""Lines with a wrong number of cells that are told by row and text at a time; others are counted:
the parser is some blocks ahead, and each may have half a million."""
_UNTOLD: Final = Reject(0, "", Reason.COLUMNS)
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16-le"),
                 (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip


@dataclass(slots=True)
class CsvFile:
    """A CSV file; see `cloud.imports.source.Source`."""

    path: Path
    form: CsvForm
    encoding: str
    reader: TableReader
    keys: Keys
    size: int
    _skipped: list[tuple[int, str]] = field(default_factory=list)
    _untold: int = 0

    @classmethod
    def open(cls, path: Path, head: bytes, wish: Wish) -> Self:
        """Tell from its head how the file is written.

        Raises:
            OperatorError: it is in another encoding, or its columns cannot be made out.
        """
        encoding = _encoding(path, head, wish.encoding)
        text = head.decode(encoding, "replace").lstrip("\ufeff")
        is_whole = len(head) < HEAD_BYTES
        try:
            form = sniff(text, wish.delimiter, wish.decimal, wish.has_header, is_whole)
        except csv.Error as error:
            hint = "is it CSV? see its first lines, or choose --delimiter and --encoding"
            raise OperatorError(f"read {path}", f"its first lines: {error}", hint) from error
        layout = lay_out(form.header, wish.mapping, str(path), path.stem, lambda _: True)
        keys = Keys()
        mapping = wish.mapping
        reader = TableReader(
            layout, wish.rule, keys, frozenset(mapping.counters), mapping.units, form.decimal
        )
        return cls(path, form, encoding, reader, keys, path.stat().st_size)

    @property
    def told(self) -> str:
        """How the file is understood."""
        layout = self.reader.layout
        sign = {"\t": "tab"}.get(self.form.delimiter, self.form.delimiter)
        what = f"CSV, cells between {sign!r}, decimal {self.form.decimal!r}, time {layout.time!r}"
        if layout.metric_column:
            return f"{what}, metric {layout.metric_column!r}, value {layout.value_column!r}"
        count = len(layout.metrics)
        return f"{what}, {count} column{'s' if count > 1 else ''} of values"

    def pieces(self) -> Iterator[Piece]:
        """Readings, block by block."""
        try:
            with self.path.open("rb") as file, Utf8Stream(file, self.encoding) as stream:
                batches = self._open(stream)
                while True:
                    try:
                        batch = batches.read_next_batch()
                    except StopIteration:
                        break
                    yield self._piece(batch, min(file.tell(), self.size), stream.has_replaced)
                yield Piece(rejects=self._wrong_rows(), done=self.size)
        except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, UnicodeError) as error:
            raise self._unreadable(error) from error

    def _open(self, stream: Utf8Stream) -> pa_csv.CSVStreamingReader:
        # Names are ours, so that what a header may hold (blanks, nothing) is nobody else's matter.
        read = pa_csv.ReadOptions(
            use_threads=False, block_size=LINE_BYTES_MAX, column_names=list(self.form.header),
            skip_rows=self.form.header_lines,
        )  # fmt: skip
        parse = pa_csv.ParseOptions(
            delimiter=self.form.delimiter, invalid_row_handler=self._skip, ignore_empty_lines=True
        )
        named = self.reader.layout.columns
        convert = pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in named}, include_columns=named,
            strings_can_be_null=False, check_utf8=False,
        )  # fmt: skip
        return pa_csv.open_csv(stream, read, parse, convert)

    def _skip(self, row: pa_csv.InvalidRow) -> str:
        if len(self._skipped) < SKIPPED_MAX:
            number = row.number if row.number is not None else 0
            self._skipped.append((number - self.form.header_lines, str(row.text)[:200]))
        else:
            self._untold += 1
        return "skip"

    def _wrong_rows(self) -> list[Reject]:
        skipped, self._skipped = self._skipped, []
        untold, self._untold = self._untold, 0
        rejects = [Reject(row, "", Reason.COLUMNS, text) for row, text in skipped]
        return rejects + [_UNTOLD] * untold

    def _piece(self, batch: pa.RecordBatch, done: int, has_replaced: bool) -> Piece:
        rejects = self._wrong_rows()
        if has_replaced:
            batch, bad = _without_replaced(batch)
            first = self.reader.first_row
            rejects += [Reject(first + row, name, Reason.NOT_UTF8) for name, row in bad]
        return self.reader.piece(batch, done, tuple(rejects))

    def _unreadable(self, error: Exception) -> OperatorError:
        told = str(error)
        row = f"after row {self.reader.first_row - 1:,}"
        if "straddling" in told:
            cause = f"{row}: a line is longer than {LINE_BYTES_MAX:,} bytes"
            hint = "is it CSV? a quote that is never closed makes one long line"
        else:
            cause, hint = f"{row}: {told}", "see the row, or choose --delimiter and --encoding"
        return OperatorError(f"read {self.path}", cause, hint)


def _encoding(path: Path, head: bytes, said: str) -> str:
    if said:
        try:
            b"a".decode(said, "replace")  # what is no encoding of texts is refused by this alone
            return codecs.lookup(said).name
        except LookupError as error:
            hint = "as in utf-8, latin-1, cp1252"
            raise OperatorError("take --encoding", f"there is no {said!r}", hint) from error
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name if name == "utf-8-sig" else "utf-16"
    first = head.split(b"\n", 1)[0]
    try:
        first.decode()
    except UnicodeDecodeError as error:
        hint = "name its encoding with --encoding, as in latin-1 or cp1252"
        raise OperatorError(f"read {path}", "its header is no UTF-8", hint) from error
    return "utf-8"


def _without_replaced(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[tuple[str, int]]]:
    """The batch without cells that hold what stands for bytes of no text; which those were."""
    names, columns, bad = batch.schema.names, [], []
    for name, column in zip(names, batch.columns, strict=True):
        found = pc.match_substring(column, REPLACED)
        columns.append(pc.if_else(found, pa.scalar(None, pa.string()), column))
        rows = np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist()
        bad += [(name, row) for row in rows]
    return pa.RecordBatch.from_arrays(columns, names=names), bad
