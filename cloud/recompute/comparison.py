"""Pure: rows that blocks of the journal give, held against those that a table has of them.

A row is known by its block and by a number of 64 bits made of all that it says, so that rows are
compared in any order, in any number of parts and over any number of files: of a block it is enough
to add up the numbers of its rows. Where the sums differ, the rows themselves are matched, each as
often as it comes. Of a rollup the readings that it counts in each bucket are added up likewise.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.correction import coded
from cloud.lake.table.schema import SERIES_COLUMNS, TableSpec
from cloud.rollup.partials import DAY_US, Ints, bucket_of

Bools = NDArray[np.bool_]
Numbers = NDArray[np.uint64]
Block = tuple[str, int, int]
"""Gateway, epoch, seq."""
Day = tuple[str, int]
"""A gateway and the beginning of a day, µs."""

ORIGIN: Final = ("gateway", "epoch", "seq")
UNKNOWN: Final = -1
_ODD: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
_MIX: Final = (np.uint64(0xBF58_476D_1CE4_E5B9), np.uint64(0x94D0_49BB_1331_11EB))
_SHIFTS: Final = (np.uint64(30), np.uint64(27), np.uint64(31))


@dataclass(slots=True, eq=False)
class Sums:
    """Rows by block: how many, and their numbers added up."""

    counts: Ints
    totals: Numbers

    @classmethod
    def of(cls, blocks: int) -> "Sums":
        """No rows of so many blocks."""
        return cls(np.zeros(blocks, np.int64), np.zeros(blocks, np.uint64))

    def add(self, block: Ints, numbers: Numbers) -> None:
        """Rows with the index of their block; those of UNKNOWN blocks are passed over."""
        known = block != UNKNOWN
        np.add.at(self.counts, block[known], 1)
        np.add.at(self.totals, block[known], numbers[known])

    def differ(self, other: "Sums") -> Bools:
        """The blocks of which the other has other rows."""
        different: Bools = (self.counts != other.counts) | (self.totals != other.totals)
        return different


def numbers_of(rows: pa.Table, spec: TableSpec) -> Numbers:
    """The number of each row of a table: of its series and of all that is not a name.

    Null and NaN are one, and so are the two zeros: a text has no number, however it is written.
    """
    names = set(SERIES_COLUMNS) - {"series"}
    found = np.zeros(rows.num_rows, np.uint64)
    for place, field in enumerate(spec.schema):
        if field.name not in names and field.name not in ORIGIN:
            found = _mixed(found ^ np.uint64(place) ^ _bits(rows[field.name]))
    return found


def blocks_in(rows: pa.Table, known: Mapping[Block, int]) -> Ints:
    """The index of each row's block, UNKNOWN where it is none of these."""
    if not rows.num_rows:
        return np.zeros(0, np.int64)
    codes, names = coded(rows["gateway"])
    epochs, seqs = (_whole(rows[name]) for name in ORIGIN[1:])
    order = np.lexsort((seqs, epochs, codes))
    code, epoch, seq = codes[order], epochs[order], seqs[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (code[1:] != code[:-1]) | (epoch[1:] != epoch[:-1]) | (seq[1:] != seq[:-1])
    heads = np.flatnonzero(is_new)
    told = zip(code[heads].tolist(), epoch[heads].tolist(), seq[heads].tolist(), strict=True)
    index = np.array([known.get((names[c], e, s), UNKNOWN) for c, e, s in told], np.int64)
    found = np.empty(len(order), np.int64)
    found[order] = index[np.cumsum(is_new) - 1]
    return found


def keys_of(block: Ints, numbers: Numbers) -> Numbers:
    """A number for each row of its block too."""
    return _mixed(numbers ^ _mixed(block.view(np.uint64) + _ODD))


def beyond(keys: Numbers, other: Numbers) -> Bools:
    """Which rows come more often than the other has them: the last of each key."""
    order = np.argsort(keys, kind="stable")
    ordered, there = keys[order], np.sort(other)
    starts = np.searchsorted(ordered, ordered, "left")
    has = np.searchsorted(there, ordered, "right") - np.searchsorted(there, ordered, "left")
    found = np.empty(len(keys), bool)
    found[order] = np.arange(len(keys)) - starts >= has
    return found


@dataclass(frozen=True, slots=True)
class Counted:
    """Of a gateway's day: rows of a table, readings counted, and where: a sum over its buckets."""

    rows: int = 0
    readings: int = 0
    where: int = 0

    def plus(self, other: "Counted") -> "Counted":
        """Both."""
        where = (self.where + other.where) % (1 << 64)
        return Counted(self.rows + other.rows, self.readings + other.readings, where)


def counted_in(rows: pa.Table, counts: Ints, width_us: int) -> dict[Day, Counted]:
    """What rows (with gateway, series, ts) count of each gateway's days, by buckets of a width."""
    codes, names = coded(rows["gateway"])
    ts = _whole(rows["ts"])
    at = _mixed(_whole(rows["series"]).view(np.uint64) * _ODD)
    at = _mixed(at ^ bucket_of(ts, width_us).view(np.uint64)) * counts.view(np.uint64)
    found: dict[Day, Counted] = {}
    for day, mine in days_of(codes, ts):
        where = int(at[mine].sum(dtype=np.uint64))
        whole = Counted(len(mine), int(counts[mine].sum()), where)
        found[names[day[0]], day[1]] = whole
    return found


def days_of(codes: NDArray[Any], ts: Ints) -> list[tuple[tuple[int, int], Ints]]:
    """The (gateway's code, day) of rows, each once, with the rows that are of it."""
    if not len(ts):
        return []
    day = bucket_of(ts, DAY_US)
    order = np.lexsort((day, codes))
    code, begin = codes[order], day[order]
    ends = np.flatnonzero((code[1:] != code[:-1]) | (begin[1:] != begin[:-1])) + 1
    parts = np.split(order, ends)
    return [((int(codes[part[0]]), int(day[part[0]])), part) for part in parts]


def gateway_days(gateways: Sequence[str], ts: Ints) -> set[Day]:
    """The days of rows that are told by gateway and time."""
    return set(zip(gateways, bucket_of(ts, DAY_US).tolist(), strict=True))


def _mixed(numbers: Numbers) -> Numbers:
    """Each number's bits spread over all of it (splitmix64, Steele and others 2014)."""
    numbers = (numbers ^ (numbers >> _SHIFTS[0])) * _MIX[0]
    numbers = (numbers ^ (numbers >> _SHIFTS[1])) * _MIX[1]
    return numbers ^ (numbers >> _SHIFTS[2])


def _bits(column: pa.ChunkedArray) -> Numbers:
    kind = column.type
    if pa.types.is_floating(kind):
        values = _one(column).to_numpy(zero_copy_only=False).astype(np.float64)
        plain = np.where(np.isnan(values), np.nan, values) + 0.0
        return plain.view(np.uint64)
    if pa.types.is_dictionary(kind) or pa.types.is_binary(kind) or pa.types.is_string(kind):
        codes, words = coded(column.cast(pa.binary()) if pa.types.is_binary(kind) else column)
        known = np.array([_word(word) for word in (*words, None)], np.uint64)
        nulls = _one(column).is_null().to_numpy(zero_copy_only=False)
        return known[np.where(nulls, len(words), np.nan_to_num(codes)).astype(np.int64)]
    return _whole(column).view(np.uint64)


def _word(word: str | bytes | None) -> int:
    if word is None:
        return 0
    data = word if isinstance(word, bytes) else word.encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") | 1


def _whole(column: pa.ChunkedArray) -> Ints:
    array = _one(column)
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    whole: Ints = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return whole


def _one(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        return array.chunk(0) if array.num_chunks else pa.array([], column.type)
    return array
