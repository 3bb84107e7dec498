"""Pure: readings and partials as columns, and the lists that a partial may have beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from cloud.rollup import bins as rollup_bins
from cloud.rollup import states as rollup_states
from cloud.rollup.bins import Bins, Spread
from cloud.rollup.states import States

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Readings as columns of one length: a run of rows a series, in order of time, then arrival.

    ``series`` i8, ``ts`` i8 µs, ``value`` f8 (NaN for a text), ``text`` object of str or None,
    ``quality`` u1. ``of_states``: which are of a series of states, or whether all; ``has_text`` is
    False only where no reading is a text.
    """

    series: Ints
    ts: Ints
    value: Floats
    text: Array
    quality: Array
    of_states: NDArray[np.bool_] | bool = False
    has_text: bool = True

    def where(self, kept: NDArray[np.bool_]) -> Self:
        """Some of them, in their order."""
        of = self.of_states if isinstance(self.of_states, bool) else self.of_states[kept]
        return type(self)(
            self.series[kept],
            self.ts[kept],
            self.value[kept],
            self.text[kept],
            self.quality[kept],
            of,
            self.has_text,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Partials:
    """Rows per (series, bucket); the docstring of `cloud.rollup.partials` is their law.

    ``bucket`` i8 start in µs, ``count``, ``valid``, ``first_ts``, ``last_ts``, ``part`` i8,
    ``sum``, ``min``, ``max``, ``first``, ``last`` f8, ``last_text`` object, ``last_quality`` u1;
    ``held`` i8 µs, ``integral``, ``reset_sum``, ``head``, ``tail`` f8. ``bins`` and ``states`` are
    None where no row has any.
    """

    series: Ints
    bucket: Ints
    count: Ints
    valid: Ints
    sum: Floats
    min: Floats
    max: Floats
    first_ts: Ints
    first: Floats
    last_ts: Ints
    last: Floats
    last_text: Array
    last_quality: Array
    part: Ints
    integral: Floats
    held: Ints
    reset_sum: Floats
    head: Floats
    tail: Floats
    bins: Bins | None = None
    states: States | None = None

    def __len__(self) -> int:
        return len(self.series)

    @property
    def spread(self) -> Spread:
        """What rows say of their numbers beside their bins."""
        return Spread(self.valid, self.min, self.max)


LISTS: Final = ("bins", "states")
COLUMNS: Final = tuple(field.name for field in fields(Partials) if field.name not in LISTS)


def take(partials: Partials, rows: Array) -> Partials:
    """The rows of an index or mask array, in its order."""
    columns: dict[str, Any] = {name: getattr(partials, name)[rows] for name in COLUMNS}
    bins = None if partials.bins is None else partials.bins[rows]
    states = None if partials.states is None else partials.states[rows]
    return Partials(**columns, bins=bins, states=states)


def concat(parts: Sequence[Partials]) -> Partials:
    """All rows in the order given; of nothing, no rows."""
    if not parts:
        return EMPTY
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS
    }
    return Partials(**columns, bins=_all_bins(parts), states=_all_states(parts))


def _all_bins(parts: Sequence[Partials]) -> Bins | None:
    if all(part.bins is None for part in parts):
        return None
    return rollup_bins.concat(
        [rollup_bins.unknown(len(p)) if p.bins is None else p.bins for p in parts]
    )


def _all_states(parts: Sequence[Partials]) -> States | None:
    if all(part.states is None for part in parts):
        return None
    return rollup_states.concat(
        [rollup_states.unknown(len(p)) if p.states is None else p.states for p in parts]
    )


def _no_rows() -> Partials:
    ints, floats = np.empty(0, np.int64), np.empty(0, np.float64)
    floats_of = {"sum", "min", "max", "first", "last", "integral", "reset_sum", "head", "tail"}
    columns: dict[str, Any] = {name: floats if name in floats_of else ints for name in COLUMNS}
    columns |= {"last_text": np.empty(0, object), "last_quality": np.empty(0, np.uint8)}
    return Partials(**columns)


EMPTY: Final = _no_rows()
