"""Pure: what a source gives: columns of readings, piece by piece, and the keys of their series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from protos.limits import LABELS_MAX, NAME_BYTES_MAX, UNIT_BYTES_MAX
from protos.series import SeriesKey

SERIES_MAX: Final = 50_000
"""Series of one import gateway. A wrong mapping makes a series of each row, and the cloud keeps
the table of every one for as long as its history."""

Entries = NDArray[np.uint32]
Times = NDArray[np.int64]
Values = NDArray[np.float64]
Texts = NDArray[Any]


class Reason(Enum):
    """Why a row or a cell became no reading; the value is what the operator reads."""

    COLUMNS = "another number of columns than the header"
    NO_TIME = "no time"
    NOT_A_TIME = "not a time"
    NO_ZONE = "a local time, and no --zone"
    NEVER = "a local time that the clocks skipped"
    TWICE = "a local time that came twice, see --ambiguous"
    OUT_OF_RANGE = "a time before 1970-01-01 or after 2099-12-31"
    NO_NAME = "no device or no metric"
    LONG_NAME = "a name that is too long"
    LONG_TEXT = "a text that is too long"
    NOT_UTF8 = "bytes that are no UTF-8"
    NOT_FINITE = "a number that is too large"
    NOT_A_LINE = "no line of the line protocol"
    TYPE = "a type of column that holds no readings"


@dataclass(frozen=True, slots=True)
class Reject:
    """One row (counted from 1, the header not counted) or line, what of it, and why."""

    row: int
    column: str
    reason: Reason
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Number readings, row by row: ``series`` (uint32), ``ts`` (µs UTC), ``value``."""

    series: Entries
    ts: Times
    value: Values

    def __len__(self) -> int:
        return len(self.ts)

    def at(self, rows: Any) -> Self:
        """The rows of a slice, mask or index."""
        return type(self)(self.series[rows], self.ts[rows], self.value[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Text readings, row by row; ``text`` is an object array of ``str``."""

    series: Entries
    ts: Times
    text: Texts

    def __len__(self) -> int:
        return len(self.ts)

    def at(self, rows: Any) -> Self:
        """The rows of a slice, mask or index."""
        return type(self)(self.series[rows], self.ts[rows], self.text[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Readings of a stretch of a source. ``series`` numbers count in the source's `Keys`, from 0.

    ``rows``: rows read for it, ``missing``: empty cells, ``done``: bytes (or rows) of the source
    read so far, for the progress bar.
    """

    numbers: Sequence[Numbers] = ()
    words: Sequence[Words] = ()
    rejects: Sequence[Reject] = ()
    rows: int = 0
    missing: int = 0
    done: int = 0


class TooManySeriesError(ValueError):
    """A source names more series than `SERIES_MAX`."""


@dataclass(slots=True)
class Keys:
    """Keys of series by their number, from 0, in the order in which a source first named them."""

    names: list[SeriesKey] = field(default_factory=list)
    numbers: dict[SeriesKey, int] = field(default_factory=dict)

    def number(self, key: SeriesKey) -> int:
        """The number of a key; a new one gets the next.

        Raises:
            TooManySeriesError: there are `SERIES_MAX` already.
        """
        known = self.numbers.get(key)
        if known is None:
            if len(self.names) >= SERIES_MAX:
                raise TooManySeriesError(f"more than {SERIES_MAX:,} series")
            known = self.numbers[key] = len(self.names)
            self.names.append(key)
        return known


def too_long(key: SeriesKey) -> bool:
    """Whether a name, unit or label of the key is over its limit."""
    if len(key.labels) > LABELS_MAX or _size(key.unit) > UNIT_BYTES_MAX:
        return True
    names = (key.device, key.metric, *(part for label in key.labels for part in label))
    return any(_size(name) > NAME_BYTES_MAX for name in names)


def labels_of(pairs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Labels in their order, empty ones left out."""
    return tuple(sorted((name, value) for name, value in pairs.items() if name and value))


def words_array(texts: Sequence[str]) -> Texts:
    """An object array of ``str``."""
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
