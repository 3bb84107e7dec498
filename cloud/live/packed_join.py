"""Pure: encoded rows of several parts joined into one, without decoding what need not be.

Runs are brought together by their rank. What is once a run stays so where the runs of one series
agree; distances of one step are moved to the least base, and taken in the new order in the bytes
that they have. Any other column is decoded, taken, and encoded anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.live.packed import (
    WIDTHS,
    Column,
    Ints,
    Near,
    Nulls,
    OfRun,
    Packed,
    Plain,
    encoded,
)


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """How runs of parts come together.

    ``perm`` are the runs in their new order, ``first`` those of them that begin a run of the whole,
    ``length`` the rows of each, ``rows`` the old place of each row and ``runs`` where runs of the
    whole begin.
    """

    perm: Ints
    first: Ints
    length: Ints
    rows: Ints
    runs: Ints

    @classmethod
    def of(cls, parts: Sequence[Packed], rank: Ints) -> Self:
        """Of parts whose runs, one part's after the other's, have these ranks."""
        begins = np.cumsum([0, *(part.rows for part in parts)])
        starts = np.concatenate(
            [part.runs + begin for part, begin in zip(parts, begins[:-1], strict=True)]
        )
        perm = np.argsort(rank, kind="stable")
        length = np.diff(starts, append=begins[-1])[perm]
        ends = np.cumsum(length)
        rows = np.repeat(starts[perm] - (ends - length), length)
        rows += np.arange(len(rows))
        sorted_rank = rank[perm]
        is_first = np.ones(len(perm), bool)
        np.not_equal(sorted_rank[1:], sorted_rank[:-1], out=is_first[1:])
        first = np.flatnonzero(is_first)
        return cls(perm, first, length, rows, (ends - length)[first])

    def once(self, values: NDArray[Any]) -> NDArray[Any] | None:
        """One value of each run of the whole from one of each old run; None where they differ."""
        values = values[self.perm]
        heads = values[self.first]
        sizes = np.diff(self.first, append=len(self.perm))
        return heads if np.array_equal(np.repeat(heads, sizes), values) else None


def join(parts: Sequence[Packed], order: Order) -> Packed:
    """The rows of parts of one schema in an order."""
    columns = {
        name: _column([part.columns[name] for part in parts], parts, order)
        for name in parts[0].schema.names
    }
    rows = sum(part.rows for part in parts)
    return Packed(parts[0].schema, rows, order.runs.astype(np.int32), columns)


def _column(columns: Sequence[Column], parts: Sequence[Packed], order: Order) -> Column:
    found: Column | None = None
    if all(isinstance(one, Nulls) for one in columns):
        return columns[0]
    if all(isinstance(one, OfRun) for one in columns):
        found = _of_runs([one for one in columns if isinstance(one, OfRun)], order)
    elif all(isinstance(one, Near) for one in columns):
        found = _near([one for one in columns if isinstance(one, Near)], order)
    elif all(isinstance(one, Plain) for one in columns):
        found = _floats([one for one in columns if isinstance(one, Plain)], order)
    return found or _anew(columns, parts, order)


def _of_runs(columns: Sequence[OfRun], order: Order) -> OfRun | None:
    values, words = [one.values for one in columns], None
    of_words = [one.words for one in columns if one.words is not None]
    if of_words:
        whole = pa.concat_arrays(of_words).dictionary_encode()
        codes, words, at = whole.indices.to_numpy(), whole.dictionary, 0
        for place, (one, held) in enumerate(zip(columns, of_words, strict=True)):
            values[place] = codes[at + one.values].astype(one.values.dtype)
            at += len(held)
    heads = order.once(np.concatenate(values))
    return None if heads is None else OfRun(heads, columns[0].kind, words)


def _near(columns: Sequence[Near], order: Order) -> Near | None:
    """None where their steps differ, or four bytes are too few."""
    base, step = min(one.base for one in columns), columns[0].step
    if any(one.step != step or (one.base - base) % step for one in columns):
        return None
    shifts = [(one.base - base) // step for one in columns]
    high = max(int(one.distances.max()) + shift for one, shift in zip(columns, shifts, strict=True))
    width = next((each for each in WIDTHS if high <= np.iinfo(each).max), None)
    if width is None:
        return None
    moved = np.empty(len(order.rows), width)
    at = 0
    for one, shift in zip(columns, shifts, strict=True):
        end = at + len(one.distances)
        np.add(one.distances, shift, out=moved[at:end], dtype=width, casting="unsafe")
        at = end
    return Near(base, step, moved[order.rows], columns[0].kind)


def _floats(columns: Sequence[Plain], order: Order) -> Plain | None:
    """None where they are not all numbers with a fraction."""
    values = [one.values for one in columns]
    if not all(pa.types.is_floating(one.type) and not one.null_count for one in values):
        return None
    return Plain(pa.array(np.concatenate([one.to_numpy() for one in values])[order.rows]))


def _anew(columns: Sequence[Column], parts: Sequence[Packed], order: Order) -> Column:
    pairs = zip(columns, parts, strict=True)
    whole = pa.chunked_array([one.slice(0, part.rows, part.of_rows()) for one, part in pairs])
    if pa.types.is_dictionary(whole.type):
        whole = whole.unify_dictionaries()
    one = whole.combine_chunks()
    if isinstance(one, pa.ChunkedArray):
        one = one.chunk(0)
    return encoded(one.take(pa.array(order.rows)), order.runs)
