"""Files of the Influx line protocol, as `influxd inspect export-lp` or a client writes them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa

from cloud.imports.clock_times import REASONS, Unit, read_times
from cloud.imports.influx_line import COMMENTS, DEVICE_TAGS, Point, read_line, read_series
from cloud.imports.piece import (
    Keys,
    Numbers,
    Piece,
    Reason,
    Reject,
    Words,
    labels_of,
    too_long,
    words_array,
)
from cloud.imports.source import Wish
from protos.limits import INT64_MAX, TEXT_BYTES_MAX
from protos.series import SeriesKey, SeriesKind

LINE_BYTES_MAX: Final = 64 * 1024
LINES_AT_ONCE: Final = 20_000
CELLS_AT_ONCE: Final = 200_000
"""Readings and rejects of one piece; a line of LINE_BYTES_MAX may hold 16,000 more."""
BYTES_AT_ONCE: Final = 16 << 20
"""Of the lines of one piece, whose texts and examples are held."""

Name = tuple[str, str, tuple[tuple[str, str], ...]]
"""Device, measurement and labels of a line."""


@dataclass(slots=True)
class _Gathered:
    """Readings of some lines; each has the place of its time in ``times``."""

    times: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    numbers: list[tuple[int, int, float]] = field(default_factory=list)
    texts: list[tuple[int, int, str]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    rows: int = 0
    missing: int = 0
    bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it is enough for one piece: lines that are refused take memory as well."""
        cells = len(self.numbers) + len(self.texts) + len(self.rejects)
        is_much = cells >= CELLS_AT_ONCE or self.bytes >= BYTES_AT_ONCE
        return self.rows >= LINES_AT_ONCE or is_much


@dataclass(slots=True)
class InfluxFile:
    """A file of lines; see `cloud.imports.source.Source`."""

    path: Path
    wish: Wish
    keys: Keys
    size: int
    _names: dict[str, Name] = field(default_factory=dict)
    _numbers: dict[tuple[str, str, SeriesKind], int] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, wish: Wish) -> Self:
        """Nothing is read yet."""
        return cls(path, wish, Keys(), path.stat().st_size)

    @property
    def told(self) -> str:
        """How the file is understood."""
        tag = self.wish.device_tag or self.wish.mapping.device or "the first of " + ", ".join(
            DEVICE_TAGS
        )  # fmt: skip
        unit = self.wish.rule.unit
        times = "times by their size" if unit is Unit.AUTO else f"times in {unit.value}"
        return f"Influx line protocol, {times}, device from {tag}"

    def pieces(self) -> Iterator[Piece]:
        """Readings, some lines at a time."""
        done = row = 0
        gathered = _Gathered()
        with self.path.open("rb") as file:
            while data := file.readline(LINE_BYTES_MAX + 1):
                row += 1
                if len(data) > LINE_BYTES_MAX:
                    why, what = Reason.NOT_A_LINE, f"over {LINE_BYTES_MAX} bytes"
                    gathered.rejects.append(Reject(row, "", why, what))
                    while data and not data.endswith(b"\n"):
                        data = file.readline(LINE_BYTES_MAX)
                        done += len(data)
                    continue
                done += len(data)
                gathered.bytes += len(data)
                self._line(gathered, row, data)
                if gathered.is_full:
                    yield self._piece(gathered, done)
                    gathered = _Gathered()
        yield self._piece(gathered, self.size)

    def _line(self, gathered: _Gathered, row: int, data: bytes) -> None:
        try:
            text = data.decode().strip("\r\n ")
        except UnicodeDecodeError:
            gathered.rejects.append(Reject(row, "", Reason.NOT_UTF8))
            return
        if not text or text.startswith(COMMENTS):
            return
        gathered.rows += 1
        point = read_line(text)
        if point is None:
            gathered.rejects.append(Reject(row, "", Reason.NOT_A_LINE, text[:200]))
        elif not point.time:
            gathered.rejects.append(Reject(row, "", Reason.NO_TIME, text[:200]))
        elif abs(at := int(point.time[:20])) > INT64_MAX:
            gathered.rejects.append(Reject(row, "", Reason.OUT_OF_RANGE, point.time))
        else:
            gathered.times.append(at if point.time[0] != "-" else -at)
            gathered.lines.append(row)
            self._point(gathered, row, point)

    def _point(self, gathered: _Gathered, row: int, point: Point) -> None:
        at = len(gathered.times) - 1
        for name, value in point.fields:
            if value is None:
                gathered.missing += 1
            elif isinstance(value, str):
                if len(value) * 4 > TEXT_BYTES_MAX and len(value.encode()) > TEXT_BYTES_MAX:
                    gathered.rejects.append(Reject(row, name, Reason.LONG_TEXT, value[:200]))
                elif (series := self._series(gathered, row, point, name, SeriesKind.STATE)) >= 0:
                    gathered.texts.append((series, at, value))
            elif not math.isfinite(value):
                gathered.rejects.append(Reject(row, name, Reason.NOT_FINITE))
            else:
                kind = SeriesKind.STATE if isinstance(value, bool) else SeriesKind.GAUGE
                if (series := self._series(gathered, row, point, name, kind)) >= 0:
                    gathered.numbers.append((series, at, float(value)))

    def _series(
        self, gathered: _Gathered, row: int, point: Point, name: str, kind: SeriesKind
    ) -> int:
        """The series of a field; -1, and a reject, when its name is none."""
        known = self._numbers.get((point.series, name, kind))
        if known is None:
            named = self._names.get(point.series)
            if named is None:
                named = self._names[point.series] = self._name(*read_series(point.series))
            device, measurement, labels = named
            mapping, metric = self.wish.mapping, f"{measurement}.{name}"
            unit = dict(mapping.units).get(metric, "") if kind is SeriesKind.GAUGE else ""
            if kind is SeriesKind.GAUGE and metric in mapping.counters:
                key = SeriesKey(device, metric, labels, unit, SeriesKind.COUNTER)
            else:
                key = SeriesKey(device, metric, labels, unit, kind)
            if not too_long(key):
                known = self._numbers[(point.series, name, kind)] = self.keys.number(key)
        if known is None:  # not remembered: a file may have any number of those
            self._names.pop(point.series, None)
            gathered.rejects.append(Reject(row, name, Reason.LONG_NAME, point.series[:200]))
            return -1
        return known

    def _name(self, measurement: str, tags: dict[str, str]) -> Name:
        wish = self.wish
        wanted = (wish.device_tag,) if wish.device_tag else DEVICE_TAGS
        tag = next((tag for tag in wanted if tag in tags), "")
        if wish.mapping.device and not wish.device_tag:
            return wish.mapping.device, measurement, labels_of(tags)
        device = tags.pop(tag) if tag else wish.mapping.device or self.path.stem
        return device, measurement, labels_of(tags)

    def _piece(self, gathered: _Gathered, done: int) -> Piece:
        ts, problems = read_times(pa.array(gathered.times, pa.int64()), self.wish.rule)
        rejects = gathered.rejects + [
            Reject(gathered.lines[at], "", REASONS[problem - 1], str(gathered.times[at]))
            for at, problem in enumerate(problems.tolist())
            if problem
        ]
        good = problems == 0
        series, at, value = (np.array(part) for part in _columns(gathered.numbers))
        numbers = Numbers(series.astype(np.uint32), ts[at], value.astype(np.float64))
        kept = numbers.at(good[at])
        series, at, text = _columns(gathered.texts)
        places = np.array(at, np.int64)
        words = Words(np.array(series, np.uint32), ts[places], words_array(list(text)))
        words = words.at(good[places])
        return Piece((kept,), (words,), rejects, gathered.rows, gathered.missing, done)


def _columns(rows: list[tuple[int, int, float]] | list[tuple[int, int, str]]) -> list:  # type: ignore[type-arg]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    return [np.array(columns[0], np.int64), np.array(columns[1], np.int64), columns[2]]
