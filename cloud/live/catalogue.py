"""All series in the order of their names, found by name, pattern, label, unit, kind and silence.

Made for hundreds of thousands: what depends on names alone is kept until a series is added, what
narrows most is asked first, and labels are read once for all series that share them.
"""

import fnmatch
import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from cloud.lake.names import Name
from cloud.live.series import Known
from protos.series import SeriesKind

Key = tuple[str, str, str, str]
"""Gateway, device, metric and id (hex): the order of the catalogue."""
_INT64: Final = np.iinfo(np.int64)


class Book(Protocol):
    """What is searched: series as they are stored, or as operations joined them."""

    @property
    def former(self) -> Mapping[int, str]:
        """Names by which series are found beside their own."""

    def known(self) -> Known:
        """Everything; names only ever come to it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which series: each condition that is not None must hold.

    ``part`` is a part of a name or label and ``pattern`` has `*`, `?` and `[…]` for the whole of
    `gateway/device/metric`, both whatever their case; ``labels`` are names with a pattern or None
    for any value. ``heard_since`` and ``silent_since`` bound the last reading's time in µs;
    ``without`` are ids that are left out.
    """

    gateway: str | None = None
    device: str | None = None
    metric: str | None = None
    unit: str | None = None
    kinds: frozenset[SeriesKind] | None = None
    ids: frozenset[int] | None = None
    part: str | None = None
    pattern: str | None = None
    labels: tuple[tuple[str, str | None], ...] = ()
    heard_since: int | None = None
    silent_since: int | None = None
    without: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """``known`` of all series, and ``at``: where in it those found stand, by name."""

    known: Known
    at: Sequence[int]
    keys: Sequence[Key]

    def page(self, after: Key | None, limit: int) -> tuple["Found", Key | None]:
        """The first ``limit`` behind ``after``, and the key to go on with, None at the end."""
        start = bisect_right(self.keys, after) if after is not None else 0
        end = start + limit
        more = end < len(self.at)
        page = Found(self.known, self.at[start:end], self.keys[start:end])
        return page, self.keys[end - 1] if more else None


@dataclass(frozen=True, slots=True)
class Devices:
    """Devices by gateway and name, and the series of each: ``at`` places in ``known``.

    Those of ``names[i]`` begin at ``starts[i]`` and end where the next begin.
    """

    known: Known
    names: Sequence[tuple[str, str]]
    at: NDArray[np.int64]
    starts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """What names alone say: ``order`` are places in the book, ``keys`` in the same order."""

    book: Book
    order: list[int]
    keys: list[Key]
    texts: list[str]
    paths: list[str]
    devices: list[tuple[str, str]]
    device_starts: list[int]


class Catalogue:
    """Searches a book; any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sorted: _Sorted | None = None

    def find(self, book: Book, wanted: Wanted) -> Found:
        """All series that are wanted, in the order of their names."""
        known = book.known()
        held = self._of(book, known.names)
        picked: Sequence[int] = _range(held.keys, wanted)
        for test in _tests(held, known, wanted):
            picked = [i for i in picked if test(i)]
        if len(picked) == len(held.order):
            return Found(known, held.order, held.keys)
        return Found(known, [held.order[i] for i in picked], [held.keys[i] for i in picked])

    def devices(
        self, book: Book, gateway: str | None, after: tuple[str, str] | None, limit: int
    ) -> tuple[Devices, bool]:
        """The first ``limit`` devices behind ``after``, and whether there are more."""
        known = book.known()
        held = self._of(book, known.names)
        names, low, high = held.devices, 0, len(held.devices)
        if gateway is not None:
            low = bisect_left(names, gateway, key=itemgetter(0))
            high = bisect_right(names, gateway, key=itemgetter(0))
        if after is not None:
            low = bisect_right(names, after, low, high)
        end = min(low + limit, high)
        starts = np.array(held.device_starts[low : end + 1], np.int64)
        at = np.array(held.order[starts[0] : starts[-1]], np.int64)
        return Devices(known, names[low:end], at, starts[:-1] - starts[0]), end < high

    def _of(self, book: Book, names: Sequence[Name]) -> _Sorted:
        with self._lock:
            held = self._sorted
            if held is None or held.book is not book or len(held.order) != len(names):
                held = self._sorted = _sorted(book, names)
            return held


def _sorted(book: Book, names: Sequence[Name]) -> _Sorted:
    keyed = sorted(
        ((n.gateway, n.device, n.metric, f"{n.id:016x}"), i) for i, n in enumerate(names)
    )
    keys = [key for key, _ in keyed]
    order = [i for _, i in keyed]
    paths = [f"{key[0]}/{key[1]}/{key[2]}".casefold() for key in keys]
    pairs = zip(paths, order, strict=True)
    texts = [f"{path} {names[i].labels.casefold()}" for path, i in pairs]
    for at, i in enumerate(order if book.former else ()):
        texts[at] += " " + book.former.get(names[i].id, "").casefold()
    new = (i for i, key in enumerate(keys) if not i or key[:2] != keys[i - 1][:2])
    starts = [*new, len(keys)]
    devices = [keys[i][:2] for i in starts[:-1]]
    return _Sorted(book, order, keys, texts, paths, devices, starts)


def _range(keys: Sequence[Key], wanted: Wanted) -> range:
    """Where a gateway's series stand, or those of one of its devices; all without a gateway."""
    low, high = 0, len(keys)
    for place, name in enumerate((wanted.gateway, wanted.device)):
        if name is None:
            break
        low, high = (
            bisect_left(keys, name, low, high, key=itemgetter(place)),
            bisect_right(keys, name, low, high, key=itemgetter(place)),
        )
    return range(low, high)


def _tests(held: _Sorted, known: Known, wanted: Wanted) -> list[Callable[[int], bool]]:
    """What remains to be asked of each place in the order, the cheapest first."""
    order, keys, names = held.order, held.keys, known.names
    tests: list[Callable[[int], bool]] = []
    if wanted.ids is not None:
        ids = {f"{each:016x}" for each in wanted.ids}
        tests.append(lambda i: keys[i][3] in ids)
    if wanted.without:
        hidden = {f"{each:016x}" for each in wanted.without}
        tests.append(lambda i: keys[i][3] not in hidden)
    if wanted.heard_since is not None or wanted.silent_since is not None:
        tests.append(_by_time(known, wanted, order))
    if wanted.gateway is None and wanted.device is not None:
        tests.append(lambda i: keys[i][1] == wanted.device)
    if wanted.metric is not None:
        tests.append(lambda i: keys[i][2] == wanted.metric)
    if wanted.unit is not None:
        tests.append(lambda i: names[order[i]].unit == wanted.unit)
    if wanted.kinds is not None:
        numbers = {int(kind) for kind in wanted.kinds}
        tests.append(lambda i: names[order[i]].kind in numbers)
    if wanted.part:
        part = wanted.part.casefold()
        tests.append(lambda i: part in held.texts[i])
    if wanted.pattern is not None:
        matches = re.compile(fnmatch.translate(wanted.pattern.casefold())).match
        tests.append(lambda i: matches(held.paths[i]) is not None)
    if wanted.labels:
        has = _by_labels(wanted.labels)
        tests.append(lambda i: has(names[order[i]].labels))
    return tests


def _by_time(known: Known, wanted: Wanted, order: Sequence[int]) -> Callable[[int], bool]:
    """A series without a reading was never heard: it is silent, whatever the time."""
    last: NDArray[np.int64] = np.where(known.readings > 0, known.last_ts, _INT64.min)
    held = np.ones(len(last), bool)
    if wanted.heard_since is not None:
        held &= (last >= wanted.heard_since) & (known.readings > 0)
    if wanted.silent_since is not None:
        held &= last < wanted.silent_since
    fits = held[order].tolist()
    return lambda i: bool(fits[i])


def _by_labels(wanted: Sequence[tuple[str, str | None]]) -> Callable[[str], bool]:
    patterns = [
        (name, re.compile(fnmatch.translate(pattern)) if pattern is not None else None)
        for name, pattern in wanted
    ]
    asked: dict[str, bool] = {}

    def has(labels: str) -> bool:
        known = asked.get(labels)
        if known is None:
            held = orjson.loads(labels)
            known = asked[labels] = all(
                name in held and (pattern is None or pattern.match(held[name]) is not None)
                for name, pattern in patterns
            )
        return known

    return has
