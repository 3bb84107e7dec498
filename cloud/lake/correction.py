"""Pure: what corrections of times do to rows: which readings they mean, and where those belong.

A gateway stamps readings on a line of its own while its clock is not synchronised, and says later
how far that line was off (`protos.stretch`). A reading is moved once: it is of the correction's
gateway, of quality UNSYNCED, bears the stretch's tag (``lag_us``) and lies within the stretch; then
it has its true time, the quality CORRECTED and no tag, so that nothing can move it again. An
anomaly is moved with the reading of the same block, series and time.

Stretches share no reading, so the order in which corrections come is of no consequence, nor is
whether one comes before its readings or after them, once or often.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.lake.embedded import Decoded
from cloud.lake.table.schema import ANOMALIES, READINGS
from protos.records import Quality
from protos.stretch import TAG_MAX, stretch_tag

_FIRST_US: Final = int(np.datetime64("0001-01-01", "us").astype(np.int64))
_END_US: Final = int(np.datetime64("9999-12-31", "us").astype(np.int64))
_TAG_BITS: Final = TAG_MAX.bit_length()
KNOWN_MAX: Final = 1 << 16
"""Corrections that are known of one gateway, the first; one comes with a boot without a clock."""
Ints = NDArray[np.int64]
Key = tuple[int, int, int, int]
"""What an anomaly and its reading have in common: series, epoch, seq, time as stamped."""


@dataclass(frozen=True, slots=True)
class Correction:
    """Readings of ``gateway`` with ``tag`` and times in [from, to] are ``offset_us`` off."""

    gateway: str
    tag: int
    from_us: int
    to_us: int
    offset_us: int

    @property
    def spans(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The times, both ends inside, that its readings leave and that they come to."""
        left = (self.from_us, self.to_us)
        return left, (self.from_us + self.offset_us, self.to_us + self.offset_us)


@dataclass(frozen=True, slots=True)
class Known:
    """The corrections that are known, by gateway and tag; of two with one name the first counts."""

    found: Mapping[tuple[str, int], Correction] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.found)

    def plus(self, more: Iterable[Correction]) -> "Known":
        """With these too."""
        added: dict[tuple[str, int], Correction] = {}
        for one in more:
            added.setdefault((one.gateway, one.tag), one)
        fresh = {key: one for key, one in added.items() if key not in self.found}
        if not fresh:
            return self
        found, count = {**self.found}, Counter(gateway for gateway, _ in self.found)
        for key, one in fresh.items():
            if count[one.gateway] < KNOWN_MAX:
                count[one.gateway] += 1
                found[key] = one
        return Known(MappingProxyType(found))


NONE: Final = Known()


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Which rows of a table are corrected, and by how many µs; arrays of its length."""

    rows: NDArray[np.bool_]
    by: Ints


def corrections_of(rows: pa.Table | None) -> list[Correction]:
    """From rows of the table `corrections`; None: there are none.

    One that leads from or to times outside of 0001-01-01 to 9999-12-30 corrects nothing.
    """
    if rows is None or not rows.num_rows:
        return []
    columns = (
        rows["gateway"].cast(pa.string()).to_pylist(),
        _whole(rows["ts"]).tolist(),
        rows["boot_id"].to_pylist(),
        _whole(rows["mono_from"]).tolist(),
        _whole(rows["mono_to"]).tolist(),
        _whole(rows["offset_us"]).tolist(),
    )
    found = [
        Correction(gateway, stretch_tag(boot, first), ts, ts + max(last - first, 0), offset)
        for gateway, ts, boot, first, last, offset in zip(*columns, strict=True)
    ]
    return [one for one in found if all(_FIRST_US <= at < _END_US for at in sum(one.spans, ()))]


def settled(decoded: Decoded, known: Known) -> Decoded:
    """What was decoded, with every time that ``known`` corrects put right."""
    readings = decoded.tables.get(READINGS.name)
    if not known or readings is None:
        return decoded
    moves = moves_of(readings, known)
    if not moves.rows.any():
        return decoded
    tables = dict(decoded.tables)
    tables[READINGS.name] = moved(readings, moves)
    anomalies = tables.get(ANOMALIES.name)
    if anomalies is not None:
        by = _of_anomalies(anomalies, readings, moves)
        tables[ANOMALIES.name] = shifted(anomalies, by)
    return replace(decoded, tables=MappingProxyType(tables))


def moves_of(readings: pa.Table, known: Known) -> Moves:
    """Which of these readings are corrected, and by how much."""
    moves = Moves(np.zeros(readings.num_rows, bool), np.zeros(readings.num_rows, np.int64))
    quality = _whole(readings["quality"])
    unsynced = np.flatnonzero(quality == int(Quality.GATEWAY_UNSYNCED))
    if not len(unsynced) or not known:
        return moves
    codes, gateways = coded(readings["gateway"])
    code_of = {name: code for code, name in enumerate(gateways)}
    wanted = {
        (code_of[one.gateway] << _TAG_BITS) + one.tag: one
        for one in known.found.values()
        if one.gateway in code_of
    }
    concerned = np.zeros(len(gateways), bool)
    concerned[[number >> _TAG_BITS for number in wanted]] = True
    unsynced = unsynced[concerned[codes[unsynced]]]  # most gateways never sent a correction
    lag = _whole(readings["lag_us"])[unsynced]
    key = (codes[unsynced].astype(np.int64) << _TAG_BITS) + lag
    is_tag = (lag > 0) & (lag <= TAG_MAX)  # others could pass for another gateway's
    near = is_tag & np.isin(key, np.array([*wanted], np.int64))
    unsynced, key = unsynced[near], key[near]
    ts = _whole(readings["ts"])[unsynced]
    numbers, which = np.unique(key, return_inverse=True)
    mine = [wanted[number] for number in numbers.tolist()]
    told = [(one.from_us, one.to_us, one.offset_us) for one in mine]
    first, last, by = np.array(told, np.int64).reshape(-1, 3)[which].T
    inside = (ts >= first) & (ts <= last)
    moves.rows[unsynced[inside]] = True
    moves.by[unsynced[inside]] = by[inside]
    return moves


def moved(readings: pa.Table, moves: Moves) -> pa.Table:
    """All the readings, those that are corrected at their true times."""
    quality, lag = _whole(readings["quality"]), _whole(readings["lag_us"])
    quality = np.where(moves.rows, int(Quality.GATEWAY_CORRECTED), quality).astype(np.int8)
    rows = _with(readings, "quality", pa.array(quality))
    rows = _with(rows, "lag_us", pa.array(np.where(moves.rows, 0, lag)))
    return shifted(rows, moves.by)


def shifted(rows: pa.Table, by: Ints) -> pa.Table:
    """The rows with their times moved by so many µs."""
    ts = rows.schema.field("ts").type
    return _with(rows, "ts", pa.array(_whole(rows["ts"]) + by).view(ts))


def apart(spans: Iterable[tuple[int, int]]) -> tuple[Ints, Ints]:
    """The beginnings and ends of the same times, in order, as spans that do not meet."""
    merged: list[list[int]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    first, last = np.array(merged, np.int64).reshape(-1, 2).T
    return first, last


def spans_of(found: Iterable[Correction], side: int) -> dict[str, list[tuple[int, int]]]:
    """By gateway, the times that readings leave (side 0) or come to (side 1)."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for one in found:
        spans.setdefault(one.gateway, []).append(one.spans[side])
    return spans


def within(ts: Ints, first: Ints, last: Ints) -> NDArray[np.bool_]:
    """Which times lie in spans that are `apart`; in memory of the times, not times the spans."""
    at = np.searchsorted(first, ts, "right") - 1
    inside: NDArray[np.bool_] = (at >= 0) & (ts <= last[at])
    return inside


def keys_of(rows: pa.Table) -> list[Key]:
    """The common key of each row of `readings` or `anomalies`."""
    columns = (_whole(rows[name]).tolist() for name in ("series", "epoch", "seq", "ts"))
    return list(zip(*columns, strict=True))


def coded(column: pa.ChunkedArray) -> tuple[NDArray[Any], list[str]]:
    """A column of names as numbers, and the names by number."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    return array.indices.to_numpy(zero_copy_only=False), array.dictionary.to_pylist()


def _of_anomalies(anomalies: pa.Table, readings: pa.Table, moves: Moves) -> Ints:
    """How far each anomaly goes: as far as the reading it is about."""
    near = np.flatnonzero(
        moves.rows
        & np.isin(_whole(readings["series"]), _whole(anomalies["series"]))
        & np.isin(_whole(readings["ts"]), _whole(anomalies["ts"]))
    )
    keys = keys_of(readings.take(pa.array(near)))
    about = dict(zip(keys, moves.by[near].tolist(), strict=True))
    return np.array([about.get(key, 0) for key in keys_of(anomalies)], np.int64)


def _whole(column: pa.ChunkedArray) -> Ints:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    whole: Ints = array.to_numpy(zero_copy_only=False)
    return whole


def _with(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    index = rows.schema.get_field_index(name)
    return rows.set_column(
        index, rows.schema.field(index), values.cast(rows.schema.field(index).type)
    )
