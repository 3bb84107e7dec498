"""The SQL of the lake, whole and constant: what a caller sent comes in as parameters alone.

Times go in as int64 µs. Rows of single series are read without it (`cloud.query_files`).
"""

from typing import Final

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
