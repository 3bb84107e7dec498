"""The SQL of the lake, whole and constant: what a caller sent comes in as parameters alone.

Times go in and out as int64 µs. The names of a series are given beside its id because rows are
sorted by them: that is how a query touches few row groups.
"""

from typing import Final

_SERIES: Final = """
WHERE gateway = ? AND device = ? AND metric = ? AND series = ?
  AND ts >= make_timestamptz(?::BIGINT) AND ts < make_timestamptz(?::BIGINT)
"""

_READINGS: Final = (
    """
SELECT epoch_us(ts) AS ts, value, text, quality, epoch, seq
FROM read_parquet(?, hive_partitioning = false, file_row_number = true)
"""
    + _SERIES
    + "ORDER BY ts, epoch, seq, file_row_number"
)

READINGS: Final = _READINGS
"""files, gateway, device, metric, series, from, to: rows in order of time, then arrival."""

READINGS_LIMIT: Final = _READINGS + " LIMIT ?"
"""As READINGS, and at most how many."""

PARTIALS: Final = (
    """
SELECT series, epoch_us(ts) AS bucket, count, valid, "sum", "min", "max",
       epoch_us(first_ts) AS first_ts, "first", epoch_us(last_ts) AS last_ts, "last",
       last_text, last_quality, part
FROM read_parquet(?, hive_partitioning = false)
"""
    + _SERIES
)
"""files, gateway, device, metric, series, from, to: rows of a rollup, several of one bucket."""

ANOMALIES: Final = """
SELECT gateway, device, metric, series, ts, value, score, threshold, model
FROM read_parquet(?, hive_partitioning = false)
WHERE ts >= make_timestamptz(?::BIGINT) AND ts < make_timestamptz(?::BIGINT)
  AND (?::VARCHAR IS NULL OR gateway = ?) AND (?::VARCHAR IS NULL OR device = ?)
  AND (len(?::BIGINT[]) = 0 OR list_contains(?::BIGINT[], series))
ORDER BY ts DESC, series, epoch DESC, seq DESC
LIMIT ?
"""
"""files, from, to, gateway twice, device twice, series twice, limit: newest first."""
