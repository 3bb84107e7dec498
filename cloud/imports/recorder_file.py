"""A Home Assistant recorder's database: states as readings, and hourly statistics before them.

The entity is the device, `state` the metric; a statistic has the metrics `mean`, `min`, `max`,
`last` and `sum`, at the beginning of its hour: a mean is never taken for a measured value.
"""

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa

from cloud.imports.cell_values import read_cells
from cloud.imports.clock_times import FIRST_US, LAST_US
from cloud.imports.piece import Keys, Numbers, Piece, Reason, Reject, Words, too_long
from cloud.imports.recorder_schema import Recorder, connect, look, unreadable
from cloud.imports.recorder_time import seconds_us
from cloud.imports.source import Statistics, Wish
from protos.series import SeriesKey, SeriesKind

ROWS_AT_ONCE: Final = 50_000
BYTES_AT_ONCE: Final = 32 << 20
"""Texts of so many rows: older databases repeat an entity's attributes with every state."""
ATTRIBUTES_MAX: Final = 100_000
"""Attributes remembered, by their id."""
ATTRIBUTES_BYTES_MAX: Final = 64 * 1024
STATE: Final = "state"
VALUES: Final = ("mean", "min", "max", "last", "sum")

Traits = tuple[str, bool]
"""Unit, and whether it only grows."""


@dataclass(slots=True)
class RecorderFile:
    """A recorder's database; see `cloud.imports.source.Source`. ``size``: rows by their id."""

    path: Path
    wish: Wish
    keys: Keys
    size: int
    _states_end: int
    _first: dict[str, int] = field(default_factory=dict)
    _traits: dict[int, Traits] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, wish: Wish) -> Self:
        """Look whether it is a recorder's database.

        Raises:
            OperatorError: it is not, or cannot be read.
        """
        with closing(connect(path)) as connection:
            try:
                recorder = look(connection, path)
                states = _highest(connection, "SELECT max(state_id) FROM states")
                more = recorder.statistics and wish.statistics is not Statistics.NONE
                rows = _highest(connection, "SELECT max(id) FROM statistics") if more else 0
            except (sqlite3.Error, UnicodeError) as error:
                raise unreadable(path, error) from error
        return cls(path, wish, Keys(), states + rows, states)

    @property
    def told(self) -> str:
        """How the file is understood."""
        which = self.wish.statistics
        what = {
            Statistics.PURGED: "hourly statistics of what was purged",
            Statistics.ALL: "all hourly statistics",
            Statistics.NONE: "no statistics",
        }[which]
        return f"Home Assistant recorder, {self._states_end:,} states, {what}"

    def pieces(self) -> Iterator[Piece]:
        """Readings: states in the order they were recorded, then statistics."""
        try:
            with closing(connect(self.path)) as connection:
                recorder = look(connection, self.path)
                for rows in _portions(connection.execute(recorder.states)):
                    yield self._states(rows, connection, recorder)
                if recorder.statistics and self.wish.statistics is not Statistics.NONE:
                    for rows in _portions(connection.execute(recorder.statistics)):
                        yield self._statistics(rows)
        except (sqlite3.Error, UnicodeError) as error:
            raise unreadable(self.path, error) from error

    def _states(
        self, rows: list[tuple[Any, ...]], connection: sqlite3.Connection, recorder: Recorder
    ) -> Piece:
        rejects: list[Reject] = []
        taken: list[tuple[str, int, Traits, str, int]] = []
        for told, entity, state, time, attributes in rows:
            row, at = _number(told), seconds_us(time)
            if at is None or not FIRST_US <= at < LAST_US:
                why = Reason.NOT_A_TIME if at is None else Reason.OUT_OF_RANGE
                rejects.append(Reject(row, "last_updated", why, str(time)[:200]))
            elif not isinstance(entity, str) or not entity:
                rejects.append(Reject(row, "entity_id", Reason.NO_NAME))
            else:
                traits = self._attributes(attributes, connection, recorder)
                self._first[entity] = min(at, self._first.get(entity, at))
                text = state if isinstance(state, str) else "" if state is None else str(state)
                taken.append((entity, at, traits, text, row))
        return self._sorted(taken, rejects, rows)

    def _sorted(
        self,
        taken: list[tuple[str, int, Traits, str, int]],
        rejects: list[Reject],
        rows: list[tuple[Any, ...]],
    ) -> Piece:
        cells = read_cells(pa.array([each[3] for each in taken], pa.string()))
        times = np.array([each[1] for each in taken], np.int64)
        rejects += [
            Reject(taken[at][4], STATE, why, taken[at][3][:200]) for at, why in cells.rejected
        ]
        numbers, words = [], []
        for part in ("numbers", "states", "texts"):
            places, values = getattr(cells, part)
            series = np.array(
                [self._series(taken[at], part, rejects) for at in places.tolist()], np.int64
            )
            good = series >= 0
            places, values, entries = places[good], values[good], series[good].astype(np.uint32)
            if part == "texts":
                words.append(Words(entries, times[places], values))
            else:
                numbers.append(Numbers(entries, times[places], values))
        done = _number(rows[-1][0])
        return Piece(numbers, words, rejects, len(rows), cells.missing, done)

    def _series(
        self, each: tuple[str, int, Traits, str, int], part: str, rejects: list[Reject]
    ) -> int:
        entity, _, (unit, grows), _, row = each
        if part == "numbers":
            kind = SeriesKind.COUNTER if grows else SeriesKind.GAUGE
            key = SeriesKey(entity, STATE, (), unit, kind)
        else:
            key = SeriesKey(entity, STATE, (), "", SeriesKind.STATE)
        if too_long(key):
            rejects.append(Reject(row, "entity_id", Reason.LONG_NAME, entity[:200]))
            return -1
        return self.keys.number(key)

    def _attributes(
        self, attributes: Any, connection: sqlite3.Connection, recorder: Recorder
    ) -> Traits:
        if not isinstance(attributes, int) or not recorder.attributes:
            return _traits(attributes)
        known = self._traits.get(attributes)
        if known is None:
            if len(self._traits) >= ATTRIBUTES_MAX:
                self._traits.clear()
            found = connection.execute(recorder.attributes, (attributes,)).fetchone()
            known = self._traits[attributes] = _traits(found[0] if found else None)
        return known

    def _statistics(self, rows: list[tuple[Any, ...]]) -> Piece:
        rejects: list[Reject] = []
        gathered: list[tuple[int, int, float]] = []
        missing = 0
        for told, statistic, start, *values, unit in rows:
            row, at = _number(told), seconds_us(start)
            if at is None or not FIRST_US <= at < LAST_US:
                why = Reason.NOT_A_TIME if at is None else Reason.OUT_OF_RANGE
                rejects.append(Reject(row, "start", why, str(start)[:200]))
            elif not isinstance(statistic, str) or not statistic:
                rejects.append(Reject(row, "statistic_id", Reason.NO_NAME))
            elif self._is_wanted(statistic, at):
                for name, value in zip(VALUES, values, strict=True):
                    if not isinstance(value, int | float) or not math.isfinite(value):
                        missing += 1
                        continue
                    unit = unit if isinstance(unit, str) else ""
                    kind = SeriesKind.COUNTER if name == "sum" else SeriesKind.GAUGE
                    key = SeriesKey(statistic, name, (), unit, kind)
                    if too_long(key):
                        rejects.append(Reject(row, name, Reason.LONG_NAME, statistic[:200]))
                    else:
                        gathered.append((self.keys.number(key), at, float(value)))
        columns = [np.array(part) for part in zip(*gathered, strict=True)] or [np.empty(0)] * 3
        series, ts, value = columns
        numbers = Numbers(series.astype(np.uint32), ts.astype(np.int64), value.astype(np.float64))
        done = self._states_end + _number(rows[-1][0])
        return Piece((numbers,), (), rejects, len(rows), missing, done)

    def _is_wanted(self, statistic: str, at: int) -> bool:
        if self.wish.statistics is Statistics.ALL:
            return True
        return at < self._first.get(statistic, LAST_US)


def _traits(text: Any) -> Traits:
    if not isinstance(text, str) or len(text) > ATTRIBUTES_BYTES_MAX:
        return "", False
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return "", False
    if not isinstance(told, dict):
        return "", False
    unit = told.get("unit_of_measurement")
    return unit if isinstance(unit, str) else "", told.get("state_class") == "total_increasing"


def _portions(cursor: sqlite3.Cursor) -> Iterator[list[tuple[Any, ...]]]:
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        rows.append(row)
        size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
        if len(rows) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _highest(connection: sqlite3.Connection, sql: str) -> int:
    return _number(connection.execute(sql).fetchone()[0])


def _number(found: Any) -> int:
    """An id, 0 where a table that no recorder made has anything else."""
    return found if isinstance(found, int) else 0
