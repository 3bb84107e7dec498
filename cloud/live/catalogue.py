"""All series in the order of their names, found by name, pattern, label, unit, kind and silence.

Made for hundreds of thousands: what names say is kept and grows (`sorted_names`), and a search
asks whole columns, the cheapest first (`sift`).
"""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cloud.live.series import Known
from cloud.live.sift import Wanted, sifted
from cloud.live.sorted_names import Key, SortedNames, begun, grown, is_continued

__all__ = ["Book", "Catalogue", "Devices", "Found", "Key", "Page", "Wanted"]


class Book(Protocol):
    """What is searched: series as they are stored, or as operations joined them."""

    @property
    def former(self) -> Mapping[int, str]:
        """Names by which series are found beside their own."""

    def known(self) -> Known:
        """Everything; names only ever come to it."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of those found, by name: ``at`` are their places in ``known``."""

    known: Known
    at: Sequence[int]
    keys: Sequence[Key]


@dataclass(frozen=True, slots=True)
class Found:
    """``known`` of all series, and which were found: ``places`` in the order of ``names``."""

    known: Known
    names: SortedNames
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def at(self) -> NDArray[np.int64]:
        """Where in ``known`` those found stand, by name."""
        return self.names.order[self.places]

    def page(self, after: Key | None, limit: int) -> tuple[Page, Key | None]:
        """The first ``limit`` behind ``after``, and the key to go on with, None at the end."""
        keys, start = self.names.keys, 0
        if after is not None:
            start = int(np.searchsorted(self.places, bisect_right(keys, after)))
        places = self.places[start : start + limit]
        told = [keys[i] for i in places.tolist()]
        more = start + limit < len(self.places)
        page = Page(self.known, self.names.order[places].tolist(), told)
        return page, told[-1] if more else None


@dataclass(frozen=True, slots=True)
class Devices:
    """Devices by gateway and name, and the series of each: ``at`` places in ``known``.

    Those of ``names[i]`` begin at ``starts[i]`` and end where the next begin.
    """

    known: Known
    names: Sequence[tuple[str, str]]
    at: NDArray[np.int64]
    starts: NDArray[np.int64]


class Catalogue:
    """Searches a book; any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[Book, SortedNames] | None = None

    def find(self, book: Book, wanted: Wanted) -> Found:
        """All series that are wanted, in the order of their names."""
        known, held = self._of(book)
        low, high = _range(held.keys, wanted)
        slots = held.order[low:high]
        fits = sifted(held, known, wanted, slots)
        places = np.arange(low, high) if fits is None else low + np.flatnonzero(fits)
        return Found(known, held, places)

    def devices(
        self, book: Book, gateway: str | None, after: tuple[str, str] | None, limit: int
    ) -> tuple[Devices, bool]:
        """The first ``limit`` devices behind ``after``, and whether there are more."""
        known, held = self._of(book)
        names, low, high = held.devices, 0, len(held.devices)
        if gateway is not None:
            low = bisect_left(names, gateway, key=itemgetter(0))
            high = bisect_right(names, gateway, key=itemgetter(0))
        if after is not None:
            low = bisect_right(names, after, low, high)
        end = min(low + limit, high)
        starts = held.starts[low : end + 1]
        at = held.order[starts[0] : starts[-1]]
        return Devices(known, names[low:end], at, starts[:-1] - starts[0]), end < high

    def _of(self, book: Book) -> tuple[Known, SortedNames]:
        """What is known of all series, and their names; the first may have more than the second."""
        known = book.known()
        with self._lock:
            of, held = self._held if self._held is not None else (None, begun(book.former))
            if of is not book or not is_continued(held, known.names):
                held = begun(book.former)
            if len(held.names) < len(known.names):
                held = grown(held, known.names)
            self._held = book, held
        # Another search may have seen a series that came after ours had looked.
        return known if len(known.names) >= len(held.names) else book.known(), held


def _range(keys: Sequence[Key], wanted: Wanted) -> tuple[int, int]:
    """Where a gateway's series stand, or those of one of its devices; all without a gateway."""
    low, high = 0, len(keys)
    for place, name in enumerate((wanted.gateway, wanted.device)):
        if name is None:
            break
        low, high = (
            bisect_left(keys, name, low, high, key=itemgetter(place)),
            bisect_right(keys, name, low, high, key=itemgetter(place)),
        )
    return low, high
