"""Pure: a block's columns as columns of the lake's tables: which comes from which, and how."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.table import schema as lake_schema
from protos.records import Kind, Rows

Array = NDArray[Any]
Getter = Callable[[Rows], Array | None]
"""A column of the lake from a block's rows; None when the kind has none: the rows get nulls."""

Order = NDArray[np.int64] | None
"""Indexes of rows as they shall stand; None: as they do."""

FROM_ENTRY: Final = frozenset({"epoch", "seq"})
"""Columns that are the same for all rows of a block."""

TABLE_OF: Final = MappingProxyType(
    {
        lake_schema.READINGS.name: (Kind.NUMBERS, Kind.TEXTS),
        lake_schema.ANOMALIES.name: (Kind.SCORES,),
        lake_schema.EPISODES.name: (Kind.EPISODES,),
        lake_schema.GAPS.name: (Kind.GAPS,),
        lake_schema.CORRECTIONS.name: (Kind.CORRECTIONS,),
    }
)
"""Which kinds of records each table holds."""


def getter(kind: Kind, name: str) -> Getter:
    """How column ``name`` of a table comes from the rows of a block of ``kind``."""
    return _SPECIAL.get((kind, name), _plain(name))


def array(
    pieces: Sequence[Array | None], counts: Sequence[int], kind: pa.DataType, order: Order
) -> pa.Array:
    """One Arrow column of ``kind`` from the pieces one after another, its rows then in ``order``.

    None among the pieces stands for as many nulls as ``counts`` says.
    """
    given = [piece for piece in pieces if piece is not None]
    if not given:
        return pa.nulls(sum(counts), kind)
    values = np.concatenate(given)
    if len(given) == len(pieces):
        return _arrow(values if order is None else values[order], kind)
    present = np.repeat([piece is not None for piece in pieces], counts)
    index = np.cumsum(present) - 1
    if order is not None:
        present, index = present[order], index[order]
    return _arrow(values, kind).take(pa.array(index, mask=~present))


def _plain(name: str) -> Getter:
    return lambda rows: rows[name]


def _lag(rows: Rows) -> Array:
    """Arrival minus event time; wraps round like the times do, so that adding ``ts`` undoes it."""
    lag: Array = rows["arrival"] - rows["ts"]
    return lag


def _nothing(_: Rows) -> None:
    return None


_SPECIAL: Final[Mapping[tuple[Kind, str], Getter]] = MappingProxyType(
    {
        (Kind.NUMBERS, "text"): _nothing,
        (Kind.TEXTS, "value"): _nothing,
        (Kind.NUMBERS, "lag_us"): _lag,
        (Kind.TEXTS, "lag_us"): _lag,
        (Kind.EPISODES, "end_ts"): _plain("end"),
        (Kind.GAPS, "to_ts"): _plain("to"),
        (Kind.CORRECTIONS, "offset_us"): _plain("offset"),
    }
)
"""Where a column is not simply the block's column of that name."""


def _arrow(values: Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        words = pa.array(values, pa.string()).dictionary_encode()
        return words.cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values.astype(np.int64, copy=False)).view(kind)
    if pa.types.is_binary(kind):
        size = values.dtype.itemsize
        data = pa.py_buffer(np.ascontiguousarray(values))
        return pa.Array.from_buffers(pa.binary(size), len(values), [None, data]).cast(kind)
    return pa.array(values).cast(kind)
