"""Read a folder of the Numenta benchmark's form: series as CSV files, windows as one JSON file."""

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

WINDOWS: Final = "windows.json"
ALSO: Final = ("labels/combined_windows.json", "combined_windows.json")
"""Where the benchmark's own repository keeps it, beside its folder `data`."""
ROWS_LEAST: Final = 50


class FolderError(ValueError):
    """A folder that is not of the form; says which file, and what to do."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One series of a set.

    Attributes:
        name: its path within the folder.
        ts: `(n,)` int64 µs UTC, as the file has them: they may repeat or step back.
        value: `(n,)` float64.
        windows: first and last time of each labelled window, µs.
    """

    name: str
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]


def read(folder: Path) -> list[Labelled]:
    """Every series that the folder's windows name, by name.

    Raises:
        FolderError: no folder, no windows, a series is missing or cannot be read.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder} is no folder: name the one that holds the series")
    labels = [folder / name for name in (WINDOWS, *ALSO)]
    path = next((one for one in labels if one.is_file()), None)
    if path is None:
        raise FolderError(
            f"{folder} has no {WINDOWS}: it holds, by the path of each series within the folder, "
            "a list of [first, last] times"
        )
    try:
        told = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FolderError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(told, dict) or not told:
        raise FolderError(f"{path} names no series")
    root = folder / "data" if not (folder / next(iter(told))).is_file() else folder
    return [_series(root, name, told[name], path) for name in sorted(told)]


def _series(folder: Path, name: str, windows: object, labels: Path) -> Labelled:
    file = folder / name
    if not file.is_file():
        raise FolderError(f"{labels} names {name}, which is not in {folder}")
    ts, value = _rows(file)
    try:
        spans = tuple((time_us(first), time_us(last)) for first, last in windows)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise FolderError(f"{labels}, {name}: not a list of [first, last]: {error}") from error
    return Labelled(name, ts, value, tuple(sorted(spans)))


def _rows(file: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    times, values = [], []
    try:
        with file.open(newline="") as lines:
            rows = csv.reader(lines)
            head = next(rows, [])
            if head[:2] != ["timestamp", "value"]:
                raise FolderError(f"{file} begins with {head}, not with timestamp,value")
            for row in rows:
                when, value = time_us(row[0]), float(row[1])
                times.append(when)
                values.append(value)
    except (OSError, UnicodeDecodeError, IndexError, ValueError) as error:
        if isinstance(error, FolderError):
            raise
        raise FolderError(f"{file}, line {len(times) + 2}: {error}") from error
    if len(times) < ROWS_LEAST:
        raise FolderError(f"{file} has {len(times)} rows; a series has {ROWS_LEAST} at least")
    return np.array(times, np.int64), np.array(values)


def time_us(text: str) -> int:
    """µs UTC of an ISO time without a zone.

    Raises:
        ValueError: it is none.
    """
    when = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return round(when.timestamp() * 1e6)
