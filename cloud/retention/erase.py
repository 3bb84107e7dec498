"""Orders to erase carried out: rows leave `readings`, rollups follow, and rows of rare tables go.

`readings` lose rows a file with each commit, each told of first with a ticket, as retention does
it. Then the days of the rollups that tell of any of them are made anew of the readings that are
left. Where retention removed readings of such a day before, nothing could make it anew: there each
row of a rollup goes that tells of any of the order's times. Anomalies go by their time, episodes
where they touch it. Then the order is told as done.

Each step begins from what the disk holds, so a process that dies is followed by one that goes on
(`Upkeep.open`, before anything new comes into the tables).
"""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud.lake.days import make_days_anew
from cloud.lake.mend import near, replace, rows_of
from cloud.lake.table.files import DataFile
from cloud.lake.table.parquet import fsync, times
from cloud.lake.table.row_groups import read_groups
from cloud.lake.table.schema import ANOMALIES, EPISODES, READINGS, ROLLUPS, is_whole
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable, Piece
from cloud.retention.order import ALWAYS_US, EVER_US, Bools, Ints, Order
from cloud.retention.removal import by_epoch
from cloud.retention.retired import write_retired
from cloud.retention.rewrite import without
from cloud.retention.rules import Hulls, Retired, within
from cloud.rollup.partials import DAY_US, bucket_of

DAYS_AT_ONCE: Final = 4096
"""Days of which the rollups are looked for at once."""
LAST_DAY_US: Final = EVER_US // DAY_US * DAY_US - DAY_US
"""The last day that is made anew; of a clock that is madder rows go as if nothing could."""
_FLOORS: Final = "floors"
_NAMES: Final = ("gateway", "device", "metric", "ts")
_log = logging.getLogger(__name__)


def give(readings: LakeTable, retired: Retired, order: Order) -> Retired:
    """Tell an order, durably: from now on it is carried out, whoever opens the lake next.

    Raises as `LakeTable.append`.
    """
    return _commit(readings, retired.ordered(order))


def carry_out(tables: Mapping[str, LakeTable], sweeper: Sweeper, retired: Retired) -> Retired:
    """Carry out all orders that are not done; what was removed then. Nothing more is due after it.

    All tables stand at one offset, that of the orders. Raises as `LakeTable.append`.
    """
    for order in retired.unfinished:
        readings = tables[READINGS.name]
        for file in _near(readings, order):
            retired = _take_out(readings, file, order, sweeper, retired)
        _follow(tables, order, sweeper, retired.hulls)
        for spec in (ANOMALIES, EPISODES):
            _clear(tables[spec.name], order, sweeper)
        _forget_last_pass(readings.folder.parent)
        retired = _commit(readings, retired.done(order.number))
        done = next(one for one in retired.orders if one.number == order.number)
        _log.info("order %d: %d readings of %s erased", order.number, done.readings, order.path)
    return retired


def days_of(table: LakeTable, order: Order) -> Ints:
    """The days of a rollup's rows that tell of any of the order's times, in order."""
    found = [np.empty(0, np.int64)]
    for file in _near(table, order):
        for rows in read_groups(table.folder / file.path, table.spec, _NAMES):
            ts = times(rows["ts"])[order.takes(rows, table.spec)]
            found.append(np.unique(bucket_of(ts, DAY_US)))
    return np.unique(np.concatenate(found))


def _near(table: LakeTable, order: Order) -> list[DataFile]:
    """The files that may hold rows that it takes."""
    first = max(order.from_us, ALWAYS_US + DAY_US) - table.spec.width_us
    spans = {order.gateway: [(first if order.from_us > ALWAYS_US else ALWAYS_US, order.last_us)]}
    return list(table.state.files.files) if table.spec is EPISODES else near(table, spans)


def _take_out(
    table: LakeTable, file: DataFile, order: Order, sweeper: Sweeper, retired: Retired
) -> Retired:
    """The readings of a file that the order takes, told and gone."""
    count: Counter[tuple[str, int]] = Counter()
    for rows in read_groups(table.folder / file.path, table.spec, (*_NAMES, "epoch")):
        count.update(by_epoch(rows.filter(pa.array(order.takes(rows, table.spec)))))
    if not count:
        return retired

    def gone(rows: pa.Table) -> Bools:
        return order.takes(rows, table.spec)

    adds = [without(table, file, gone)] if count.total() < file.rows else []
    told = retired.erasing({order.number: count})
    write_retired(table.folder.parent, told)
    table.step("erasure told")
    table.swap([file], adds, told.ticket)
    sweeper.retire(table, [file.path])
    return told


def _follow(tables: Mapping[str, LakeTable], order: Order, sweeper: Sweeper, hulls: Hulls) -> None:
    """Rollups that tell of what is erased: made anew, or gone where nothing could make them."""
    rollups = [tables[spec.name] for spec in ROLLUPS]
    days = np.unique(np.concatenate([days_of(table, order) for table in rollups]))
    is_mad = len(days) and (days[0] < -LAST_DAY_US or days[-1] > LAST_DAY_US)
    days = days[(days >= -LAST_DAY_US) & (days <= LAST_DAY_US)]
    finer = tables[READINGS.name]
    for table in rollups:
        for at in range(0, len(days), DAYS_AT_ONCE):
            some = days[at : at + DAYS_AT_ONCE].tolist()
            spans = [(day, day + DAY_US - 1) for day in some]
            make_days_anew(table, finer, order.gateway, spans, sweeper, hulls=hulls)
        if is_whole(table.spec):
            finer = table
    for table in rollups if hulls or is_mad else ():
        for file in _near(table, order):
            _drop(table, file, order, sweeper, hulls)


def _drop(table: LakeTable, file: DataFile, order: Order, sweeper: Sweeper, hulls: Hulls) -> None:
    def gone(rows: pa.Table) -> Bools:
        ts = times(rows["ts"])
        inside = within(rows["series"].to_numpy(), ts, hulls)
        inside |= (ts < -LAST_DAY_US) | (ts >= LAST_DAY_US + DAY_US)
        return inside & order.takes(rows, table.spec)

    columns = (*_NAMES, "series")
    count = sum(
        int(gone(rows).sum()) for rows in read_groups(table.folder / file.path, table.spec, columns)
    )
    if count:
        table.swap([file], [without(table, file, gone)] if count < file.rows else [], 0)
        sweeper.retire(table, [file.path])


def _clear(table: LakeTable, order: Order, sweeper: Sweeper) -> None:
    """Rows of a rare table, in one commit: an episode's rows go together or stay."""
    files, pieces = [], []
    ids = _episodes(table, order) if table.spec is EPISODES else None
    for file in _near(table, order):
        rows = rows_of(table, file)
        gone = order.takes(rows, table.spec)
        if ids is not None:
            gone |= order.of_series(rows) & pc.is_in(rows["id"], value_set=ids).to_numpy()
        if gone.any():
            files.append(file)
            stay = rows.filter(pa.array(~gone))
            pieces.append(Piece(stay, file.period, file.start, file.end))
    if files:
        replace(table, files, pieces, sweeper)


def _episodes(table: LakeTable, order: Order) -> pa.Array:
    """The episodes that have a row of the order's times."""
    found: set[bytes] = set()
    for file in _near(table, order):
        rows = rows_of(table, file, (*_NAMES, "end_ts", "id"))
        found.update(rows.filter(pa.array(order.takes(rows, table.spec)))["id"].to_pylist())
    return pa.array(sorted(found), pa.binary())


def _forget_last_pass(root: Path) -> None:
    """Rows that the last pass had for rare tables: all tables are level, nobody needs them."""
    folder = root / _FLOORS
    for spec in (ANOMALIES, EPISODES):
        for path in folder.glob(f"{spec.name}-*"):
            path.unlink()
    if folder.is_dir():
        fsync(folder)


def _commit(readings: LakeTable, told: Retired) -> Retired:
    write_retired(readings.folder.parent, told)
    readings.step("order told")
    readings.swap([], [], told.ticket)
    return told
