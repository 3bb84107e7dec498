"""The columns of rollups that are lists, to and from those that `cloud.rollup.partials` works on.

Lists of bins are bytes: numbers one after another, little-endian, of two bytes (bins) and of four
(their counts). So they are columns like the others, and nothing is written or read number by
number: text takes 60 ns for each, nested columns as much. States are JSON, for they are seldom:
`[{"value": 1.0, "us": 5}, {"text": "on", "us": 7}]`. A row without a list has an empty one.
"""

import io
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from numpy.typing import NDArray

from cloud.lake.table.parquet import one
from cloud.rollup import bins as rollup_bins
from cloud.rollup import states as rollup_states
from cloud.rollup.bins import UNKNOWN, Bins
from cloud.rollup.partials import Partials
from cloud.rollup.ragged import offsets_of
from cloud.rollup.states import States

_STATE: Final = pa.struct([("value", pa.float64()), ("text", pa.string()), ("us", pa.int64())])
_LINE: Final = pa.schema([("states", pa.list_(_STATE))])
_EMPTY: Final = "[]"
_INDEX: Final = np.dtype("<i2")
_COUNT: Final = np.dtype("<i4")


def bins_of(rows: pa.Table) -> Bins:
    """The bins of rows; unknown where a former version wrote them.

    ValueError for bytes that are no lists of one length.
    """
    offsets, index = _numbers(one(rows["bins"]), _INDEX)
    counted, count = _numbers(one(rows["bin_counts"]), _COUNT)
    if not np.array_equal(offsets, counted):
        raise ValueError("bins and their counts are not as many")
    exponent = one(rows["bin_exponent"]).fill_null(UNKNOWN).to_numpy()
    return Bins(exponent, offsets, index, count)


def states_of(rows: pa.Table, of_states: NDArray[np.bool_]) -> States:
    """The states of rows, of which these are of a series of states."""
    words = one(rows["states"])
    there = pc.fill_null(pc.not_equal(words, _EMPTY), False).to_numpy(zero_copy_only=False)
    lists = _parsed(words.filter(pa.array(there)))
    lengths = np.zeros(len(words), np.int64)
    lengths[there] = pc.list_value_length(lists).to_numpy()
    values, texts, us = lists.flatten().flatten()
    return States(
        words.is_valid().to_numpy(zero_copy_only=False),
        of_states,
        offsets_of(lengths),
        values.to_numpy(zero_copy_only=False),
        texts.to_numpy(zero_copy_only=False),
        us.to_numpy(zero_copy_only=False),
    )


def list_columns(partials: Partials) -> dict[str, pa.Array]:
    """The columns by name."""
    rows = len(partials)
    bins = rollup_bins.unknown(rows) if partials.bins is None else partials.bins
    states = rollup_states.unknown(rows) if partials.states is None else partials.states
    lists = pa.ListArray.from_arrays(pa.array(states.offsets, pa.int32()), _told(states))
    whole = pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")
    return {
        "bin_exponent": pa.array(bins.exponent, mask=~bins.is_known),
        "bins": _bytes(bins.offsets, bins.index.astype(_INDEX, copy=False)),
        "bin_counts": _bytes(bins.offsets, bins.count.astype(_COUNT, copy=False)),
        "states": pc.if_else(pa.array(states.is_known), whole, None),
    }


def _bytes(offsets: NDArray[np.int64], numbers: NDArray[Any]) -> pa.Array:
    ends = pa.py_buffer((offsets * numbers.itemsize).astype(np.int32))
    data = pa.py_buffer(np.ascontiguousarray(numbers))
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, ends, data])


def _numbers(lists: pa.Array, kind: np.dtype[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Lists as their offsets and numbers; no list is an empty one. ValueError."""
    if lists.null_count:
        lists = lists.fill_null(b"")
    if not len(lists):
        return np.zeros(1, np.int64), np.empty(0, kind)
    _, ends, data = lists.buffers()
    at = np.frombuffer(ends, np.int32)[lists.offset : lists.offset + len(lists) + 1]
    begin, offsets = int(at[0]), (at - at[0]).astype(np.int64)
    if (offsets % kind.itemsize).any():
        raise ValueError("a list ends within a number")
    offsets //= kind.itemsize
    count = int(offsets[-1])
    return offsets, np.frombuffer(data, kind, count, begin) if count else np.empty(0, kind)


def _told(states: States) -> pa.Array:
    """Each state as JSON; what it says is written once for all that say so."""
    text = pa.array(states.text, pa.string())
    is_text = text.is_valid().to_numpy(zero_copy_only=False)
    words = text.drop_null().dictionary_encode()
    numbers, which = np.unique(states.value[~is_text], return_inverse=True)
    said = [_opening("value", number) for number in numbers.tolist()]
    said += [_opening("text", word) for word in words.dictionary.to_pylist()]
    code = np.empty(len(text), np.int64)
    code[~is_text], code[is_text] = which, len(numbers) + words.indices.to_numpy()
    opening = pa.array(said, pa.string()).take(pa.array(code))
    return pc.binary_join_element_wise(opening, pa.array(states.us).cast(pa.string()), "}", "")


def _opening(name: str, said: float | str) -> str:
    """Up to the time; NaN is null."""
    return f'{{"{name}": {orjson.dumps(said).decode()}, "us": '


def _parsed(words: pa.Array) -> Any:
    """Lists of _STATE from lists as JSON."""
    if not len(words):
        return pa.array([], _LINE.field("states").type)
    lines = pc.binary_join_element_wise('{"states": ', words, "}\n", "")
    length = pc.sum(pc.binary_length(lines)).as_py()
    found = pj.read_json(
        io.BytesIO(lines.buffers()[2].slice(0, length)),
        pj.ReadOptions(use_threads=False),
        pj.ParseOptions(explicit_schema=_LINE, unexpected_field_behavior="ignore"),
    )
    return one(found["states"])
