"""Bringing a past in: files of other systems become blocks of an import gateway.

The stages, in the order a reading meets them::

    source → csv_file / parquet_file / influx_file / recorder_file → piece → sieve → ledger → sender

A source gives pieces (columns of readings) and rejects. The sieve lets each (series, time, value)
through once, the ledger keeps blocks durably before they are sent, and the sender speaks the
gateways' own protocol over a `line`: into the journal of a stopped cloud, or to a running one
(`reach` says which). `run` is a file brought in from its first row to its last block. CSV and
Parquet share `columns` (which is what) and `table_rows`; all share `clock_times`, `cell_values`.
"""
