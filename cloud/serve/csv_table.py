"""A table as CSV that a spreadsheet may open: what begins like a formula gets a `'` before it.

A text comes from a sensor, a name from whoever named a topic; neither is to run on the machine of
the person who looks at an export. The other forms have every text as it was sent.
"""

import io
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

_FORMULA: Final = r"^[=+\-@\t\r\n]"
"""How a cell begins that spreadsheets take for a formula (OWASP, CSV Injection)."""
_NUMBER: Final = r"^[+\-]?[0-9]+([.,][0-9]+)?([eE][+\-]?[0-9]+)?$"
"""A sign alone makes no formula of these."""


def csv_of(table: pa.Table) -> bytes:
    """The table with a header, UTF-8; what is a list becomes JSON."""
    columns = [_column(column) for column in table.columns]
    names = _guarded(pa.array(table.column_names, pa.string())).to_pylist()
    sink = io.BytesIO()
    pa_csv.write_csv(pa.table(columns, names=names), sink)
    return sink.getvalue()


def _column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_list(kind):
        held = [orjson.dumps(each).decode() for each in column.to_pylist()]
        return pa.chunked_array([pa.array(held, pa.string())])
    if pa.types.is_string(kind):
        return _guarded(column)
    if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
        # Each word is looked at once, however many rows have it.
        chunks = [
            pa.DictionaryArray.from_arrays(chunk.indices, _guarded(chunk.dictionary))
            for chunk in column.chunks
        ]
        return pa.chunked_array(chunks, kind)
    return column


def _guarded(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    runs = pc.and_not(
        pc.match_substring_regex(texts, _FORMULA), pc.match_substring_regex(texts, _NUMBER)
    )
    return pc.if_else(runs, pc.binary_join_element_wise("'", texts, ""), texts)
