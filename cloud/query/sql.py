"""The SQL of the lake, whole and constant: what a caller sent comes in as parameters alone.

Times go in and out as int64 µs. Rows of single series are read without it (`cloud.query.files`).
"""

from typing import Final

_OF: Final = """
  AND (?::VARCHAR IS NULL OR gateway = ?) AND (?::VARCHAR IS NULL OR device = ?)
  AND (len(?::BIGINT[]) = 0 OR list_contains(?::BIGINT[], series))
"""

ANOMALIES: Final = (
    """
SELECT gateway, device, metric, series, epoch_us(ts) AS ts, epoch, seq,
       value, score, threshold, model
FROM read_parquet(?, hive_partitioning = false)
WHERE ts >= make_timestamptz(?::BIGINT) AND ts < make_timestamptz(?::BIGINT)
"""
    + _OF
    + "ORDER BY ts DESC, series, epoch DESC, seq DESC, value, score, model LIMIT ?"
)
"""files, from, to, gateway twice, device twice, series twice, limit: newest first."""

EPISODES: Final = (
    """
SELECT gateway, device, metric, series, epoch_us(ts) AS ts, epoch, seq, id, state,
       epoch_us(end_ts) AS end_ts, epoch_us(peak_ts) AS peak_ts, peak, threshold, model, points
FROM read_parquet(?, hive_partitioning = false)
WHERE end_ts >= make_timestamptz(?::BIGINT) AND ts < make_timestamptz(?::BIGINT)
"""
    + _OF
    + """
QUALIFY row_number() OVER (PARTITION BY series, id
  ORDER BY epoch DESC, seq DESC, end_ts DESC, state DESC, points DESC) = 1
ORDER BY ts DESC, series, epoch DESC, seq DESC, id LIMIT ?
"""
)
"""As ANOMALIES, of those that meet the range the newest word on each."""

EPISODES_BY_PEAK: Final = EPISODES.replace(
    "ORDER BY ts DESC,", "ORDER BY isnan(peak), peak DESC, ts DESC,"
)
"""As EPISODES, the highest peak first."""

GAPS: Final = (
    """
SELECT gateway, device, metric, series, epoch_us(ts) AS ts, epoch, seq,
       epoch_us(to_ts) AS to_ts, count, reason, seq_from, seq_to
FROM read_parquet(?, hive_partitioning = false)
WHERE to_ts >= make_timestamptz(?::BIGINT) AND ts < make_timestamptz(?::BIGINT)
"""
    + _OF
    + "ORDER BY ts DESC, series, epoch DESC, seq DESC, to_ts, reason, count, seq_from LIMIT ?"
)
"""As ANOMALIES, of those that meet the range."""
