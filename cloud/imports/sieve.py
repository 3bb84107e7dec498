"""Lets each (series, time, value) through once, over everything that was imported before.

Blocks that are kept are found by the box of their series numbers and times; those that meet a new
batch are read again and compared exactly. Hashes only find candidates: equality decides.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.imports.piece import Numbers, Words

HELD_MAX: Final = 96
"""Blocks whose rows stay in memory, some 600 KB each."""

Mask = NDArray[np.bool_]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Rows of a block in the order of their hashes, and its texts."""

    numbers: Numbers
    hashes: Hashes
    texts: frozenset[tuple[int, int, str]]


Load = Callable[[int], tuple[Numbers, Words]]
"""Rows of a kept block by its id."""


@dataclass(slots=True)
class Boxes:
    """A growing table of (id, lowest and highest series number, first and last time)."""

    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty((64, 5), np.int64))
    count: int = 0

    def add(self, box: tuple[int, int, int, int, int]) -> None:
        """Note a block."""
        if self.count == len(self.rows):
            self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])
        self.rows[self.count] = box
        self.count += 1

    def meeting(self, low: int, high: int, first: int, last: int) -> list[tuple[int, ...]]:
        """Blocks that may hold series ``low`` to ``high`` at times ``first`` to ``last``."""
        rows = self.rows[: self.count]
        series = (rows[:, 1] <= high) & (rows[:, 2] >= low)
        meets = series & (rows[:, 3] <= last) & (rows[:, 4] >= first)
        return [tuple(row) for row in rows[meets].tolist()]


class Sieve:
    """Remembers every reading that was let through; ``load`` reads blocks that it knows."""

    def __init__(
        self, load: Load | None = None, hashed: Callable[[Numbers], Hashes] | None = None
    ) -> None:
        self._load = load
        self._hashed = hashed or hashes_of
        self._boxes = {True: Boxes(), False: Boxes()}
        self._held: OrderedDict[int, Held] = OrderedDict()

    def know(self, block: int, box: tuple[int, int, int, int], is_numbers: bool) -> None:
        """Note a block that is kept: its lowest and highest series, first and last time."""
        self._boxes[is_numbers].add((block, *box))

    def fresh_numbers(self, rows: Numbers) -> Mask:
        """Which rows were never let through before, the first of equals among them."""
        if not len(rows):
            return np.ones(0, np.bool_)
        hashes = self._hashed(rows)
        fresh = ~_repeated(rows, hashes)
        for block, low, high, first, last in self._boxes[True].meeting(*box_of(rows)):
            near = fresh & (rows.series >= low) & (rows.series <= high)
            near &= (rows.ts >= first) & (rows.ts <= last)
            at = np.flatnonzero(near)
            if len(at):
                fresh[at[_among(rows.at(at), hashes[at], self._block(block))]] = False
        return fresh

    def fresh_words(self, rows: Words) -> Mask:
        """The same for texts."""
        fresh = np.ones(len(rows), np.bool_)
        if not len(rows):
            return fresh
        meeting = self._boxes[False].meeting(*box_of(rows))
        known = [self._block(block).texts for block, *_ in meeting[:HELD_MAX]]
        far = meeting[HELD_MAX:]
        seen: set[tuple[int, int, str]] = set()
        for index, each in enumerate(_tuples(rows)):
            fresh[index] = each not in seen and not any(each in texts for texts in known)
            seen.add(each)
        for block, *_ in far:
            texts = self._block(block).texts
            for index, each in enumerate(_tuples(rows)):
                fresh[index] &= each not in texts
        return fresh

    def _block(self, block: int) -> Held:
        held = self._held.pop(block, None)
        if held is None:
            assert self._load is not None, "whoever knows blocks can read them"
            numbers, words = self._load(block)
            hashes = self._hashed(numbers)
            order = np.argsort(hashes)
            held = Held(numbers.at(order), hashes[order], frozenset(_tuples(words)))
        self._held[block] = held
        while len(self._held) > HELD_MAX:
            self._held.popitem(last=False)
        return held


def box_of(rows: Numbers | Words) -> tuple[int, int, int, int]:
    """Lowest and highest series number, first and last time; there is at least one row."""
    return int(rows.series.min()), int(rows.series.max()), int(rows.ts.min()), int(rows.ts.max())


def hashes_of(rows: Numbers) -> Hashes:
    """64 bits of each row; 0.0 and -0.0 are one value. The mixing is SplitMix64's."""
    mixed = _mix(rows.ts.view(np.uint64) + (rows.series.astype(np.uint64) << np.uint64(44)))
    mixed ^= (rows.value + 0.0).view(np.uint64)
    return _mix(mixed)


def _mix(bits: Hashes) -> Hashes:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _same(one: Numbers, other: Numbers) -> Mask:
    same: Mask = (one.ts == other.ts) & (one.series == other.series) & (one.value == other.value)
    return same


def _repeated(rows: Numbers, hashes: Hashes) -> Mask:
    """Rows that are equal to an earlier one of the same batch."""
    repeated = np.zeros(len(rows), np.bool_)
    order = np.argsort(hashes, kind="stable")
    again = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    if not len(again):
        return repeated
    if _same(rows.at(order[again]), rows.at(order[again + 1])).all():
        repeated[order[again + 1]] = True
        return repeated
    seen: set[tuple[int, int, float]] = set()  # different rows of one hash
    for index, each in enumerate(_rows(rows)):
        repeated[index] = each in seen
        seen.add(each)
    return repeated


def _among(rows: Numbers, hashes: Hashes, held: Held) -> Mask:
    """Which rows a held block has."""
    at = np.searchsorted(held.hashes, hashes)
    found = at < len(held.hashes)
    found[found] = held.hashes[at[found]] == hashes[found]
    hits = np.flatnonzero(found)
    if not len(hits) or _same(rows.at(hits), held.numbers.at(at[hits])).all():
        return found
    known = set(_rows(held.numbers))  # different rows of one hash
    return np.fromiter((each in known for each in _rows(rows)), np.bool_, len(rows))


def _rows(rows: Numbers) -> list[tuple[int, int, float]]:
    return list(zip(rows.series.tolist(), rows.ts.tolist(), rows.value.tolist(), strict=True))


def _tuples(rows: Words) -> list[tuple[int, int, str]]:
    return list(zip(rows.series.tolist(), rows.ts.tolist(), rows.text.tolist(), strict=True))
