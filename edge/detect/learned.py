"""What detectors know, kept over a restart: windows, thresholds and more, a few series at a time.

What a detector knows of each series stands in arrays with a row a series. `SERIES_EACH` series of
them are one item, written along with a commit of readings; then there is a pause that fits its
size, for the card's sake: `BYTES_EACH_S` in the long run, whatever the gateway hears. A round over
all may so take an hour on a large gateway, and a kill costs what was learned since. Of a series
with an episode it is kept whenever that is told. An orderly end keeps all.

Items of a detector, or a version of one, that is not in service are let go, and that is said.
"""

import contextlib
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.detect.slots import SERIES, Slotted, row_bytes
from protos.limits import SERIES_MAX

log = logging.getLogger(__name__)

SERIES_EACH: Final = 64
ITEM_BYTES: Final = 64 << 10
"""Of an item before it is compressed: a commit has room for it. Of a detector that knows more than
that of one series nothing is kept."""
ALONE_BYTES_MAX: Final = 2 << 10
"""Of what is kept of a series with its episode: a fault everywhere tells of a hundred at once."""
BYTES_EACH_S: Final = 512
PAUSE_S_MIN: Final = 300.0
"""Between two writings of the same item; a gateway of few series writes seldom."""
AGE_US_MAX: Final = {"windows": 3_600_000_000}
"""What is older is begun anew: the last values of an hour ago are no context. What is not named
here does not age: frames of devices have a rule of their own for gaps. By the gateway's clock; what
is from the future, as it says after a start without the time, is as old."""
PREFIX: Final = "learned "
ALONE: Final = " of "
FORM: Final = 1

Item = tuple[str, bytes]
Rows = Mapping[str, NDArray[Any]]
Columns = dict[str, tuple[str, tuple[int, ...], bytes]]
"""Dtype, shape and bytes by name."""


class BySeries(Protocol):
    """What a detector knows of each series."""

    def by_series(self) -> Rows:
        """Its arrays, each with a row a series; they may be written to."""
        ...

    def grow(self, size: int) -> None:
        """Have rows for series 0 to ``size`` - 1 at least."""
        ...


class Piece(msgspec.Struct, array_like=True):
    """One item: rows ``first`` onward of the arrays of one part of a detector, by name."""

    form: int
    detector: str
    part: str
    first: int
    saved_us: int
    columns: Columns


@dataclass(slots=True)
class _Place:
    """Where an item comes from, and the check sum of what was kept last."""

    detector: str
    part: str
    of: BySeries
    first: int
    kept: int = 0

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.detector} {self.part} {self.first}"


class Learned:
    """What all detectors know of each series, on its way into the buffer and back.

    Args:
        parts: by detector, by name of the part.
        now_us: the gateway's clock.
    """

    def __init__(
        self, parts: Mapping[str, Mapping[str, BySeries]], now_us: Callable[[], int]
    ) -> None:
        self._parts = parts
        self._now_us = now_us
        self._places: dict[str, _Place] = {}
        self._round: Iterator[_Place] = iter(())
        self._next_s = 0.0
        self._round_s = 0.0

    def restore(self, items: Iterable[Item], *, is_whole: bool = True) -> list[str]:
        """Take up what was kept, in the order in which it was; the names of what is of no use.

        What was kept later of a series stands: its row alone, or that among others. ``is_whole``:
        the run that kept it ended in good order, and so kept all that it knew at its end.
        """
        useless, retired, pieces = [], set(), []
        for name, data in items:
            try:
                piece = msgspec.msgpack.decode(zlib.decompress(data), type=Piece)
                pieces.append((ALONE in name, piece.first, name, piece))
            except (msgspec.DecodeError, zlib.error, ValueError, TypeError) as error:
                log.warning("%s is begun anew: %s", name, error)
                useless.append(name)
        # In their order, so that series have the slots that they had.
        for _, _, _, piece in sorted(pieces, key=lambda one: one[:3]):
            self._place(piece)
        for _, _, name, piece in pieces:
            try:
                if piece.detector not in self._parts:
                    retired.add(piece.detector)
                    useless.append(name)
                elif not self._put(piece):
                    useless.append(name)
            except (ValueError, TypeError) as error:
                log.warning("%s is begun anew: %s", name, error)
                useless.append(name)
        for parts in () if is_whole else self._parts.values():
            for of in parts.values():
                if isinstance(of, Slotted):
                    of.outdate()
        for detector in sorted(retired):
            log.info("what %s learned is let go: it is not in service", detector)
        return useless

    def _place(self, piece: Piece) -> None:
        """Give the series of a piece their rows; what is wrong with it is told when it is put."""
        of = self._parts.get(piece.detector, {}).get(piece.part)
        if isinstance(of, Slotted) and SERIES in piece.columns:
            with contextlib.suppress(ValueError, TypeError):
                of.places(_whose(piece.columns))

    def _put(self, piece: Piece) -> bool:
        """Write a piece into its place; False when it is too old. ValueError: it does not fit."""
        of = self._parts[piece.detector].get(piece.part)
        age_us = self._now_us() - piece.saved_us
        age_us_max = AGE_US_MAX.get(piece.part)
        if of is None or piece.form != FORM:
            raise ValueError("it is kept in a form that is not known")
        if age_us_max is not None and not 0 <= age_us <= age_us_max:
            return False
        columns = {
            name: np.frombuffer(data, dtype).reshape(shape)
            for name, (dtype, shape, data) in piece.columns.items()
        }
        count = len(next(iter(columns.values()), ()))
        if count > SERIES_EACH or not piece.first >= 0:
            raise ValueError("it has more series than one item")
        if isinstance(of, Slotted):
            at: Any = of.places(_whose(piece.columns))
            count = len(at)
            del columns[SERIES]
        else:
            of.grow(piece.first + count)
            at = slice(piece.first, piece.first + count)
        rows = dict(of.by_series())
        if isinstance(of, Slotted):
            del rows[SERIES]
        if _forms(columns) != {n: (d, (count, *s[1:])) for n, (d, s) in _forms(rows).items()}:
            raise ValueError("it has other columns than this version")
        for name, column in columns.items():
            rows[name][at] = column
        return True

    def due(self, now_s: float) -> tuple[Item, ...]:
        """At most one item that is to be kept with the next commit. ``now_s`` never steps."""
        if now_s < self._next_s:
            return ()
        for place in self._round:
            item = self._item(place)
            if item is not None:
                self._next_s = now_s + len(item[1]) / BYTES_EACH_S
                return (item,)
        self._round = iter(self._all())
        self._next_s = max(now_s, self._round_s + PAUSE_S_MIN)
        self._round_s = self._next_s
        return ()

    def alone(self, detector: str, series: int, *, ended: bool) -> tuple[Item, ...]:
        """What is known of one series, to be kept with its episode; let go once that has ended.

        So after a kill the episode is judged on by what was known when it was last told.
        """
        items = []
        for part, of in self._parts.get(detector, {}).items():
            if row_bytes(of.by_series()) > ALONE_BYTES_MAX:
                continue
            at = series
            if isinstance(of, Slotted):
                at = int(of.places(np.array([series]))[0])
            rows = {name: held[at : at + 1] for name, held in of.by_series().items()}
            body = b"" if ended else self._packed(detector, part, series, _columns(rows))
            items.append((f"{PREFIX}{detector} {part}{ALONE}{series}", body))
        return tuple(items)

    def all(self) -> Iterator[Item]:
        """Everything that changed since it was kept, for the end of a run."""
        for place in self._all():
            item = self._item(place)
            if item is not None:
                yield item

    def _all(self) -> list[_Place]:
        found = []
        for detector, parts in self._parts.items():
            for part, of in parts.items():
                size = max((len(column) for column in of.by_series().values()), default=0)
                for first in range(0, size, _series_each(of.by_series())):
                    fresh = _Place(detector, part, of, first)
                    found.append(self._places.setdefault(fresh.name, fresh))
        return found

    def _item(self, place: _Place) -> Item | None:
        """The item of a place; None when nothing in it changed since it was kept."""
        rows = {
            name: column[place.first : place.first + _series_each(place.of.by_series())]
            for name, column in place.of.by_series().items()
        }
        columns = _columns(rows)
        check = 0
        for _, _, data in columns.values():
            check = zlib.crc32(data, check)
        size = sum(len(data) for _, _, data in columns.values())
        if check == place.kept or size > ITEM_BYTES:
            return None
        place.kept = check
        return place.name, self._packed(place.detector, place.part, place.first, columns)

    def _packed(self, detector: str, part: str, first: int, columns: Columns) -> bytes:
        piece = Piece(FORM, detector, part, first, self._now_us(), columns)
        return zlib.compress(msgspec.msgpack.encode(piece), 1)


def _whose(columns: Columns) -> NDArray[np.int64]:
    """The series of a piece. ValueError: it does not say whose it is."""
    dtype, _, data = columns.get(SERIES, ("", (), b""))
    series = np.frombuffer(data, np.int64) if dtype == "<i8" else np.zeros(0, np.int64)
    if not len(series) or not ((series >= 0) & (series <= SERIES_MAX)).all():
        raise ValueError("it does not say whose it is")
    return series


def _series_each(rows: Rows) -> int:
    """Series of one item; those of long windows are fewer."""
    return max(1, min(SERIES_EACH, ITEM_BYTES // max(1, row_bytes(rows))))


def _columns(rows: Rows) -> Columns:
    return {name: (held.dtype.str, held.shape, held.tobytes()) for name, held in rows.items()}


def _forms(rows: Rows) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Dtype and shape of each array."""
    return {name: (column.dtype.str, column.shape) for name, column in rows.items()}
