"""One Delta table of the lake: `table` commits, `log` mends and fsyncs, `parquet` writes the files.

What the log says: `state` of the whole table, `actions` of one commit, `stats` of one file, and
`files` what a query knows of them (`changes` tells it to another process). `schema` has the columns
of all tables, `former` adds what older ones lack, `sweep` deletes what nobody reads any more.

Of a data file: `forms` chooses how its columns are written. `library_writer` writes rows of any
kind, `run_writer` rows in order by their runs (`column_runs`), `dense` sorted readings in the least
room, and `growing` any file by row groups; `chunk_file` puts chunks of ours, and of the library
(`taken_chunks`), into one file. `row_groups` reads a file one row group at a time.
"""
