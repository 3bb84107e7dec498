"""Questions for what happened rather than for readings: anomalies, episodes, declared gaps.

Tables and tail are joined like readings. Newest first, unless the highest peaks are asked for; of
an episode that was told several times, the newest word counts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud.lake.table.parquet import times
from cloud.lake.table.schema import ANOMALIES, EPISODES, GAPS, TableSpec
from cloud.live.view import View
from cloud.query import event_rows as query_event_rows
from cloud.query import sql as query_sql
from cloud.query.event_rows import EventFiles, Wanted
from cloud.query.pool import Pool

_INT64: Final = np.iinfo(np.int64)
Row = dict[str, Any]


class Events(Enum):
    """Which events; the value is their table."""

    ANOMALIES = ANOMALIES.name
    EPISODES = EPISODES.name
    GAPS = GAPS.name


class Order(Enum):
    """What stands first; the value is its name on the wire."""

    NEWEST = "newest"
    PEAK = "peak"


@dataclass(frozen=True, slots=True)
class EventsAsk:
    """Events that meet [from, to) µs, by series, gateway and device where these are named.

    The first ``skip`` of them are left out, for pages.
    """

    kind: Events
    from_us: int
    to_us: int
    series: tuple[int, ...] = ()
    gateway: str | None = None
    device: str | None = None
    limit: int = 1000
    skip: int = 0
    order: Order = Order.NEWEST


@dataclass(frozen=True, slots=True)
class _Table:
    """How one table is asked: ``end`` is the column of an event's end, its start by default.

    ``ties`` put in order what one block says of one series and time.
    """

    spec: TableSpec
    sql: str
    columns: tuple[str, ...]
    ties: tuple[str, ...]
    end: str = "ts"


_NAMES: Final = ("gateway", "device", "metric", "series", "ts", "epoch", "seq")
_ANOMALY: Final = ("value", "score", "threshold", "model")
_EPISODE: Final = (
    "id", "state", "end_ts", "peak_ts", "peak", "threshold", "model", "points",
)  # fmt: skip
_WORD: Final = ("epoch", "seq", "end_ts", "state", "points")
"""The greatest by these is the newest word on an episode: a block may hold several."""
_GAP: Final = ("to_ts", "count", "reason", "seq_from", "seq_to")
_TABLES: Final[Mapping[Events, _Table]] = {
    Events.ANOMALIES: _Table(ANOMALIES, query_sql.ANOMALIES, _ANOMALY, ("value", "score", "model")),
    Events.EPISODES: _Table(EPISODES, query_sql.EPISODES, _EPISODE, ("id",), "end_ts"),
    Events.GAPS: _Table(
        GAPS, query_sql.GAPS, _GAP, ("to_ts", "reason", "count", "seq_from"), "to_ts"
    ),
}


Few = Callable[[View, EventsAsk, int], list[Row] | None]
"""`few`, by whoever does it."""


def found(pool: Pool, few: Few, view: View, ask: EventsAsk) -> list[Row]:
    """One dict an event: the names, ``ts``, ``epoch`` and ``seq``, and the table's own columns.

    Times are µs, ids of series whole numbers, ids of episodes bytes.
    """
    table = _TABLES[ask.kind]
    most = ask.skip + ask.limit
    tail = _tail(view, table, ask)
    limit = most + len(tail)
    rows = few(view, ask, limit)
    rows = (many(pool, view, ask, limit) if rows is None else rows) + tail
    if ask.kind is Events.EPISODES:
        rows = _newest_words(rows)
    rows.sort(key=lambda row: (*_first(row, ask.order), *_ties(row, table.ties)))
    return rows[ask.skip : most]


def few(files: EventFiles, view: View, ask: EventsAsk, limit: int) -> list[Row] | None:
    """The first rows of the tables, picked here; None where there are too many for that."""
    table = _TABLES[ask.kind]
    wanted = Wanted(
        (*_NAMES, *table.columns), table.end, ask.from_us, ask.to_us, ask.gateway, ask.device,
        ask.series,
    )  # fmt: skip
    paths = files.meeting(_paths(view, ask), wanted)
    if not paths:
        return []
    rows = files.rows(paths, wanted)
    if rows is None:
        return None
    if ask.kind is Events.EPISODES:
        rows = query_event_rows.newest(rows, ("series", "id"), _WORD)
    by = [("ts", True), ("series", False), ("epoch", True), ("seq", True)]
    by = [("peak", True), *by] if ask.order is Order.PEAK else by
    told: list[Row] = query_event_rows.first(
        rows, [*by, *((name, False) for name in table.ties)], limit
    ).to_pylist()
    return told


def many(pool: Pool, view: View, ask: EventsAsk, limit: int) -> list[Row]:
    """The first rows of the tables, by the engine."""
    named = [ask.gateway, ask.gateway, ask.device, ask.device]
    series = list(ask.series)
    given = [_paths(view, ask), ask.from_us, ask.to_us, *named, series, series, limit]
    by_peak = ask.order is Order.PEAK
    sql = query_sql.EPISODES_BY_PEAK if by_peak else _TABLES[ask.kind].sql
    told: list[Row] = pool.table(sql, given).to_pylist()
    return told


def _paths(view: View, ask: EventsAsk) -> list[str]:
    """The files that may have what is asked."""
    table = _TABLES[ask.kind]
    # An event may begin long before the range that it meets; one at a time lies in it.
    since = ask.from_us if table.end == "ts" else _INT64.min
    return view.tables[table.spec.name].pick(since, ask.to_us)


def _tail(view: View, table: _Table, ask: EventsAsk) -> list[Row]:
    rows: list[Row] = []
    for batch in view.tail:
        held = batch.tables.get(table.spec.name)
        if held is not None:
            rows += _rows(held.rows.select([*_NAMES, *table.columns]), table, ask)
    return [
        row
        for row in rows
        if (not ask.series or row["series"] in ask.series)
        and ask.gateway in (None, row["gateway"])
        and ask.device in (None, row["device"])
    ]


def _rows(rows: pa.Table, table: _Table, ask: EventsAsk) -> list[Row]:
    """Rows of the tail that meet the range, with times in µs."""
    meets = (times(rows["ts"]) < ask.to_us) & (times(rows[table.end]) >= ask.from_us)
    for name in rows.column_names:
        if pa.types.is_timestamp(rows.schema.field(name).type):
            at = rows.schema.get_field_index(name)
            rows = rows.set_column(at, name, pc.cast(rows[name], pa.int64()))
    told: list[Row] = rows.filter(pa.array(meets)).to_pylist()
    return told


def _newest_words(rows: Sequence[Row]) -> list[Row]:
    newest: dict[tuple[int, bytes], Row] = {}
    for row in rows:
        key = row["series"], row["id"]
        held = newest.get(key)
        if held is None or _word(row) > _word(held):
            newest[key] = row
    return list(newest.values())


def _word(row: Row) -> tuple[int, ...]:
    return tuple(row[name] for name in _WORD)


def _first(row: Row, order: Order) -> tuple[Any, ...]:
    newest = -row["ts"], row["series"], -row["epoch"], -row["seq"]
    return (*_up(-row["peak"]), *newest) if order is Order.PEAK else newest


def _ties(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(part for name in names for part in _up(row[name]))


def _up(value: Any) -> tuple[bool, Any]:
    """Ascending, NaN last, as the engine has it."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return is_nan, 0.0 if is_nan else value
