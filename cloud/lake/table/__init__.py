"""One Delta table of the lake: `table` commits, `log` mends and fsyncs, `parquet` writes the files.

`files` is what a query knows of them, `schema` the columns of all tables, `sweep` the vacuum.
"""
