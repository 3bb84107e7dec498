"""A data file without some of its rows; a row group in memory."""

from collections.abc import Callable

import pyarrow as pa
from deltalake.transaction import AddAction

from cloud.lake.table.files import DataFile, file_name, sorted_name
from cloud.lake.table.forms import form_for
from cloud.lake.table.growing import GrowingFile
from cloud.lake.table.row_groups import are_millis, read_groups
from cloud.lake.table.table import LakeTable
from cloud.retention.order import Bools


def without(table: LakeTable, file: DataFile, gone: Callable[[pa.Table], Bools]) -> AddAction:
    """The file without the rows that ``gone`` says of each row group, durable; some must stay.

    Raises:
        StorageError: it cannot be read, or the disk refuses.
    """
    path, spec = table.folder / file.path, table.spec
    version = table.state.files.version + 1
    span = (file.start, file.end)
    name = sorted_name(file.run, version, 0, *span) if file.run else file_name(*span, version)
    is_millis, made = are_millis(path, spec), None
    for rows in read_groups(path, spec):
        rows = rows.filter(pa.array(~gone(rows)))
        if rows.num_rows and made is None:
            form = form_for(rows, spec, file.rows, is_millis=is_millis)
            made = GrowingFile(table.folder, file.period, name, spec, form)
        if made is not None:
            made.add(rows)
    assert made is not None, "not all rows were to go"
    return made.finish(table.step, is_change=True)
