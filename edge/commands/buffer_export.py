"""The readings of a closed buffer as CSV or as lines of JSON."""

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final

import msgspec

from edge.errors import OperatorError, StorageError
from edge.store.inspection import Damage, Inspection
from edge.store.pieces import Bad
from protos.records import Batch, Kind, Quality
from protos.series import SeriesKey

COLUMNS: Final = (
    "time", "device", "metric", "labels", "unit", "value", "text", "quality", "ts_us", "arrival_us",
)  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Exported:
    """What was written, and what could not be read."""

    readings: int = 0
    chunks: int = 0
    unreadable: list[str] = field(default_factory=list)


def write(look: Inspection, path: Path, form: str) -> Exported:
    """Write every reading to ``path`` in the order of its commit.

    Raises:
        OperatorError: the file exists, or cannot be made.
        StorageError: its disk is full or fails.
    """
    done = Exported()
    series: list[SeriesKey | None] = [None]
    for entry in look.entries():
        if isinstance(entry, Damage):
            done.unreadable.append(entry.name)
        series.append(None if isinstance(entry, Damage) else entry.key)
    try:
        with _opened(path) as file:
            put = csv.writer(file) if form == "csv" else None
            if put is not None:
                put.writerow(COLUMNS)
            for row in _rows(look, series, done):
                if put is not None:
                    put.writerow(["" if value is None else value for value in row])
                else:
                    told = {k: v for k, v in zip(COLUMNS, row, strict=True) if v is not None}
                    file.write(msgspec.json.encode(told).decode() + "\n")
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise StorageError(f"write {path}", error.strerror or str(error)) from error
    return done


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    if str(path) == "-":
        yield sys.stdout
        return
    try:
        file = path.open("x", encoding="utf-8", newline="")
    except FileExistsError:
        raise OperatorError(f"write {path}", "it exists", "name another file") from None
    except OSError as error:
        raise OperatorError(f"write {path}", error.strerror or str(error)) from error
    with file:
        yield file


def _rows(
    look: Inspection, series: list[SeriesKey | None], done: Exported
) -> Iterator[tuple[object, ...]]:
    for piece in look.chunks():
        if isinstance(piece, Bad):
            done.unreadable.append(f"chunk {piece.no} ({piece.rows:,} rows): {piece.reason}")
            continue
        done.chunks += 1
        for row in _readings(piece.batch, series):
            done.readings += 1
            yield row


def _readings(batch: Batch, series: list[SeriesKey | None]) -> Iterator[tuple[object, ...]]:
    for kind, column in ((Kind.NUMBERS, "value"), (Kind.TEXTS, "text")):
        rows = batch.kind(kind)
        names = ("series", "ts", column, "quality", "arrival")
        for no, ts, value, quality, arrival in zip(*(rows[n].tolist() for n in names), strict=True):
            key = series[no] if no < len(series) else None
            labels = ",".join(f"{name}={text}" for name, text in key.labels) if key else ""
            named = (key.device, key.metric, labels, key.unit) if key else (f"#{no}", "", "", "")
            told = (value, None) if kind is Kind.NUMBERS else (None, value)
            yield (_time(ts), *named, *told, Quality(quality).name.lower(), ts, arrival)


def _time(ts_us: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=ts_us)).isoformat()
    except OverflowError:
        return ""
