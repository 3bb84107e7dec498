"""Parquet as bytes: single pages read without the rest, and forms written that no library writes.

Nothing here knows what the lake's tables mean, nor opens a file. Read: `pages` finds where pages of
a column lie, `small` puts some of them behind a footer of their own for a library to decode.
Written: `encode` has the forms of numbers, `chunk` chooses among them page by page, `run_pages`
writes a column of long runs; `made` puts pages together behind their headers, `footer` tells of a
file's columns. `thrift` is how Parquet writes all that it says of itself. `cloud.lake.table` makes
data files of these, `cloud.query.pages` reads with them.
"""
