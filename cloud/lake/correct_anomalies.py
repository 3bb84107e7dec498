"""Anomalies that follow the readings they are about when those move to their true times."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from cloud.lake.correction import Correction, Ints, coded, keys_of, shifted, spans_of
from cloud.lake.mend import near, pieces_of, replace, rows_of
from cloud.lake.table.parquet import times
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable, Piece
from protos.records import Quality

_KEYS = ("series", "epoch", "seq", "ts")


def mend_anomalies(
    table: LakeTable, readings: LakeTable, found: Sequence[Correction], sweeper: Sweeper
) -> None:
    """Move anomalies with their readings, which are where they belong by now.

    One commit: an anomaly has no mark of its own that it was moved. Each file is read once.
    """
    held = [(file, rows_of(table, file)) for file in near(table, spans_of(found, 0))]
    if not held:
        return
    moved = _moved(readings, found, [rows for _, rows in held])
    files, pieces = [], list[Piece]()
    for file, rows in held:
        by = _far(rows, found, moved)
        if by.any():
            files.append(file)
            pieces += pieces_of(shifted(rows, by), table, file.start, file.end)
    if files:
        replace(table, files, pieces, sweeper)


def _moved(
    readings: LakeTable, found: Sequence[Correction], anomalies: Sequence[pa.Table]
) -> pa.Table:
    """The keys of corrected readings that these anomalies may be about, in order of time."""
    series, seqs = (
        np.unique(np.concatenate([rows[name].to_numpy() for rows in anomalies]))
        for name in ("series", "seq")
    )
    parts = []
    for file in near(readings, spans_of(found, 1)):
        rows = rows_of(readings, file, (*_KEYS, "quality"))
        done = rows["quality"].to_numpy() == int(Quality.GATEWAY_CORRECTED)
        done &= np.isin(rows["series"].to_numpy(), series) & np.isin(rows["seq"].to_numpy(), seqs)
        parts.append(rows.select(_KEYS).filter(pa.array(done)))
    if not parts:
        return readings.spec.schema.empty_table().select(_KEYS)
    return pa.concat_tables(parts).sort_by("ts").combine_chunks()


def _far(rows: pa.Table, found: Sequence[Correction], moved: pa.Table) -> Ints:
    """How far each anomaly goes: to where the reading it is about has been moved."""
    by = np.zeros(rows.num_rows, np.int64)
    codes, names = coded(rows["gateway"])
    ts, there_ts = times(rows["ts"]), times(moved["ts"])
    for one in found:
        if one.gateway not in names:
            continue
        inside = (codes == names.index(one.gateway)) & (by == 0)
        at = np.flatnonzero(inside & (ts >= one.from_us) & (ts <= one.to_us))
        low = int(np.searchsorted(there_ts, one.spans[1][0]))
        high = int(np.searchsorted(there_ts, one.spans[1][1], "right"))
        if not len(at) or low == high:
            continue
        gone = shifted(rows.take(pa.array(at)), np.full(len(at), one.offset_us))
        met = np.isin(there_ts[low:high], times(gone["ts"]))
        about = set(keys_of(moved.slice(low, high - low).filter(pa.array(met))))
        by[at[[key in about for key in keys_of(gone)]]] = one.offset_us
    return by
