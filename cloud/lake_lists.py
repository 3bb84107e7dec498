"""The columns of rollups that are lists, to and from those that `cloud.rollup` works on."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloud import rollup_bins, rollup_states
from cloud.lake_table.parquet import one
from cloud.lake_table.schema import ROLLUP_1H
from cloud.ragged import offsets_of
from cloud.rollup import Partials
from cloud.rollup_bins import UNKNOWN, Bins
from cloud.rollup_states import States

_TYPES = ROLLUP_1H.schema


def bins_of(rows: pa.Table) -> Bins:
    """The bins of rows; unknown where a former version wrote them."""
    return Bins(
        one(rows["bin_exponent"]).fill_null(UNKNOWN).to_numpy(),
        _offsets(one(rows["bins"])),
        one(rows["bins"]).flatten().to_numpy(),
        one(rows["bin_counts"]).flatten().to_numpy(),
    )


def states_of(rows: pa.Table, of_states: NDArray[np.bool_]) -> States:
    """The states of rows, of which these are of a series of states."""
    lists = one(rows["states"])
    values, texts, us = lists.flatten().flatten()
    return States(
        lists.is_valid().to_numpy(zero_copy_only=False),
        of_states,
        _offsets(lists),
        values.to_numpy(zero_copy_only=False),
        texts.to_numpy(zero_copy_only=False),
        us.to_numpy(zero_copy_only=False),
    )


def list_columns(partials: Partials) -> dict[str, pa.Array]:
    """The columns by name."""
    rows = len(partials)
    bins = rollup_bins.unknown(rows) if partials.bins is None else partials.bins
    states = rollup_states.unknown(rows) if partials.states is None else partials.states
    text = pa.array(states.text, pa.string())
    value = pa.array(states.value, mask=text.is_valid().to_numpy(zero_copy_only=False))
    each = pa.StructArray.from_arrays([value, text, pa.array(states.us)], type=_state())
    return {
        "bin_exponent": pa.array(bins.exponent, mask=~bins.is_known),
        "bins": _lists("bins", bins.offsets, bins.index),
        "bin_counts": _lists("bin_counts", bins.offsets, bins.count),
        "states": _lists("states", states.offsets, each, ~states.is_known),
    }


def _state() -> pa.DataType:
    return _TYPES.field("states").type.value_type


def _lists(
    name: str, offsets: NDArray[np.int64], values: Any, mask: NDArray[np.bool_] | None = None
) -> pa.Array:
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.array(values) if isinstance(values, np.ndarray) else values,
        _TYPES.field(name).type,
        mask=None if mask is None else pa.array(mask),
    )


def _offsets(lists: pa.Array) -> NDArray[np.int64]:
    return offsets_of(pc.list_value_length(lists).fill_null(0).to_numpy())
