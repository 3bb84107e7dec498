"""Pure: for how long each state stood in a bucket, as lists that merge where rows are in order.

A state is a text of at most TEXT_MAX bytes, or, of a series of states, a number (NaN is one too, an
infinite one is none). A reading stands until the next one of its series, however long. A row tells
of the time between its first and its last reading; what stands over its edges is added from its
neighbours when history is asked, as with all that was over time (`cloud.rollup.time`), and as there
rows merge that do not interleave: what a row ended with stands until the next begins.

A row tells of at most STATES_MAX states: the least, by number, then by text. Of any split those are
the same with the same times, for what is among the least of all is among the least of each part.
The others, long texts, and the numbers of a series that is none of states, are the remainder: what
the times of the list lack of the time between first and last reading, exactly. Where there is one,
whoever wants to know more asks the readings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloud.rollup.ragged import gather, offsets_of, row_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Array = NDArray[Any]

STATES_MAX: Final = 16
TEXT_MAX: Final = 64
"""Bytes of a text that is a state; a longer one is said, not stood in."""
_NONE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """Of each row: whether it ``is_known``, and a list: ``value`` f8, ``text`` object, ``us`` i8.

    ``of_states``: the row's series is one of states. ``text`` is None where the state is a number.
    """

    is_known: Bools
    of_states: Bools
    offsets: Ints
    value: Floats
    text: Array
    us: Ints

    def __len__(self) -> int:
        return len(self.is_known)

    def __getitem__(self, rows: Array) -> Self:
        offsets, at = gather(self.offsets, rows)
        lists = (self.value[at], self.text[at], self.us[at])
        return type(self)(self.is_known[rows], self.of_states[rows], offsets, *lists)

    def told(self) -> Ints:
        """µs that each row's list comes to."""
        ends = np.append(0, np.cumsum(self.us))[self.offsets]
        told: Ints = np.diff(ends)
        return told


@dataclass(frozen=True, slots=True, eq=False)
class Stood:
    """What stood in rows, in any order: a number or a text, for how long, in which row."""

    row: Ints
    value: Floats
    text: Array
    us: Ints


def unknown(rows: int) -> States:
    """States of rows that do not tell."""
    no, none = np.zeros(rows, bool), np.empty(0, np.int64)
    offsets = np.zeros(rows + 1, np.int64)
    return States(no, no, offsets, np.empty(0), np.empty(0, object), none)


def concat(parts: Sequence[States]) -> States:
    """All rows in the order given; one part at least."""
    return States(
        np.concatenate([part.is_known for part in parts]),
        np.concatenate([part.of_states for part in parts]),
        offsets_of(np.concatenate([np.diff(part.offsets) for part in parts])),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.text for part in parts]),
        np.concatenate([part.us for part in parts]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Readings as they follow each other in rows, which begin at ``starts``."""

    starts: Ints
    ts: Ints
    value: Floats
    text: Array


def reduce(said: Said, of_states: Bools, *, has_text: bool) -> States:
    """States of rows of readings; numbers are some in rows ``of_states``."""
    offsets = np.append(said.starts, len(said.ts))
    tells = of_states
    if has_text and len(said.starts):
        tells = tells | np.logical_or.reduceat(_is_text(said.text), said.starts)
    rows = np.flatnonzero(tells)
    lists, at = gather(offsets, rows)
    after = np.minimum(at + 1, len(said.ts) - 1)
    us = said.ts[after] - said.ts[at]
    us[lists[1:] - 1] = 0  # what the last one stands for is in no row
    stood = Stood(rows[row_of(lists)], said.value[at], said.text[at], us)
    counts = _is_text(stood.text) | of_states[stood.row]
    return _listed(stood, counts, np.ones(len(of_states), bool), of_states)


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Of rows: the times of the first and the last reading, and what the last one said."""

    first_ts: Ints
    last_ts: Ints
    last: Floats
    last_text: Array


def merge(states: States, ends: Ends, order: Ints, starts: Ints, known: Bools) -> States:
    """States of groups of rows: those of ``order`` from each of ``starts`` on, in order of time.

    ``known``: whose rows do not interleave.
    """
    if not len(starts):
        return unknown(0)
    known = known & np.logical_and.reduceat(states.is_known[order], starts)
    of_states = states.of_states[order[starts]]
    sizes = np.diff(starts, append=len(order))
    group = np.repeat(np.arange(len(starts)), sizes)
    goes_on = np.flatnonzero((group[1:] == group[:-1]) & known[group[1:]])
    before, after = order[goes_on], order[goes_on + 1]
    offsets, at = gather(states.offsets, order)
    listed = row_of(offsets)
    kept = known[group[listed]]
    at, listed = at[kept], listed[kept]
    stood = Stood(
        np.concatenate([group[listed], group[goes_on]]),
        np.concatenate([states.value[at], ends.last[before]]),
        np.concatenate([states.text[at], ends.last_text[before]]),
        np.concatenate([states.us[at], ends.first_ts[after] - ends.last_ts[before]]),
    )
    counts = np.ones(len(stood.us), bool)
    counts[len(at) :] = _is_text(ends.last_text[before]) | states.of_states[before]
    return _listed(stood, counts, known, of_states)


def _is_text(text: Array) -> Bools:
    found: Bools = pa.array(text, pa.string()).is_valid().to_numpy(zero_copy_only=False)
    return found


def _listed(stood: Stood, counts: Bools, known: Bools, of_states: Bools) -> States:
    """The STATES_MAX least states of each row, of what ``counts``."""
    counts = counts & (stood.us > 0) & ~np.isinf(stood.value)
    key, total, where = sums(stood, counts, TEXT_MAX)
    edges = np.searchsorted(key, np.arange(len(known) + 1))
    kept = np.arange(len(key)) - edges[key] < STATES_MAX
    lengths = np.minimum(np.diff(edges), STATES_MAX)
    where = where[kept]
    lists = (stood.value[where] + 0.0, stood.text[where], total[kept])
    return States(known, of_states, offsets_of(lengths), *lists)


def sums(stood: Stood, counts: Bools, text_max: int | None) -> tuple[Ints, Ints, Ints]:
    """Of each state of each row, by row, number, text: its row, its µs, one that says so."""
    at = np.flatnonzero(counts)
    code, kinds = _coded(stood.value[at], stood.text[at], text_max)
    at, code = at[code != _NONE], code[code != _NONE]
    key = stood.row[at] * kinds + code
    order = np.argsort(key, kind="stable")
    key, at = key[order], at[order]
    new = np.flatnonzero(np.diff(key, prepend=-1))
    us = stood.us[at]
    total = np.add.reduceat(us, new) if len(new) else us
    return key[new] // max(kinds, 1), total, at[new]


def _coded(value: Floats, text: Array, text_max: int | None) -> tuple[Ints, int]:
    """A number for each state, in their order, and how many there are; NaN is one number."""
    words = pa.array(text, pa.string()).dictionary_encode()
    is_text = words.is_valid().to_numpy(zero_copy_only=False)
    known, numbers = np.unique(value[~is_text] + 0.0, return_inverse=True)
    code = np.empty(len(value), np.int64)
    code[~is_text] = numbers
    place = np.empty(len(words.dictionary), np.int64)
    place[pc.array_sort_indices(words.dictionary).to_numpy()] = np.arange(len(place))
    place += len(known)
    if text_max is not None and len(place):
        length = pc.binary_length(words.dictionary).to_numpy(zero_copy_only=False)
        place[length > text_max] = _NONE
    code[is_text] = place[words.indices.drop_null().to_numpy()]
    return code, len(known) + len(place)
