"""The embedded engine: blocks of the journal to rows of the lake's tables, a column at a time.

One function makes the rows of both views: the consolidator commits them to the tables, `cloud.live`
keeps them as the tail. No step handles single rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.errors import StorageError
from cloud.journal.contract import Entry
from cloud.lake.columns import FROM_ENTRY, TABLE_OF, Order, array, getter
from cloud.lake.names import ERASED, Names
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.schema import TABLES, TableSpec
from protos.block import MalformedBlock, NewerFormat, read_block, read_header
from protos.limits import MIB, TEXT_BYTES_MAX, TEXTS_EXPANDED_BYTES_MAX
from protos.records import Batch, Kind, Rows

OFFSET_COLUMN: Final = "journal_offset"
"""Extra last column of decoded rows: the journal's offset. Not written to the lake."""

TEXTS_BYTES_MAX: Final = 256 * MIB
"""Most that texts decoded at once may come to; a row of text takes its bytes, not what it cost."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A block that can never be decoded, and why."""

    entry: Entry
    reason: str


Pause = Callable[[], None]
"""Lets others go first, for a moment (`cloud.ingest.courtesy`)."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Rows by table name, series by series in the tables' order, within each as they arrived.

    Every table has its spec's columns and OFFSET_COLUMN; tables without rows are absent. ``end``
    is the last offset.
    """

    end: int
    tables: Mapping[str, pa.Table]
    bad: tuple[Bad, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of one kind of one block, with our number of each row's series."""

    entry: Entry
    rows: Rows
    series: NDArray[np.int32]


def no_pause() -> None:
    """Nobody is to be let go first."""


def decode(entries: Sequence[Entry], names: Names, pause: Pause = no_pause) -> Decoded:
    """The rows of ``entries`` in offset order; ``pause`` is called before each.

    What is malformed, or names a series that was never declared, is left out and told in ``bad``.
    StorageError for a block of a later version than this.
    """
    parts: dict[Kind, list[_Part]] = {kind: [] for kind in Kind}
    bad: list[Bad] = []
    for entry in entries:
        pause()
        try:
            batch, numbers = _open(entry, names)
        except NewerFormat as error:
            tried = f"decode block {entry.seq} of {entry.gateway}, epoch {entry.epoch}"
            raise StorageError(tried, str(error), "upgrade the cloud again") from error
        except MalformedBlock as error:
            bad.append(Bad(entry, str(error)))
            continue
        for kind in Kind:
            if batch.count(kind):
                parts[kind].append(_part(entry, batch.kind(kind), numbers))
    tables = {
        name: rows
        for name, kinds in TABLE_OF.items()
        if (rows := _table(TABLES[name], {kind: parts[kind] for kind in kinds}, names)) is not None
    }
    return Decoded(entries[-1].offset if entries else 0, MappingProxyType(tables), tuple(bad))


def within_rows(entries: Sequence[Entry], rows_max: int) -> list[Entry]:
    """The first entries whose headers promise at most ``rows_max`` rows together; one at least.

    Neither may their texts come to more than TEXTS_BYTES_MAX if all are as long as they can be.
    """
    rows = texts = 0
    for count, entry in enumerate(entries):
        try:
            promised = read_header(entry.data)[0].rows
        except MalformedBlock:
            continue  # `decode` will say so
        rows += sum(promised.values())
        texts += min(promised.get(Kind.TEXTS, 0) * TEXT_BYTES_MAX, TEXTS_EXPANDED_BYTES_MAX)
        if count and (rows > rows_max or texts > TEXTS_BYTES_MAX):
            return list(entries[:count])
    return list(entries)


def _open(entry: Entry, names: Names) -> tuple[Batch, NDArray[np.int32]]:
    header, _, batch = read_block(entry.data)
    numbers = names.of_epoch(entry.gateway, entry.epoch, header.series_high)
    for kind in (Kind.NUMBERS, Kind.TEXTS, Kind.SCORES, Kind.EPISODES):
        if batch.count(kind) and not batch.kind(kind)["series"].all():
            raise MalformedBlock(f"{kind.name} of no series", "body")
    named = [int(rows["series"].max()) for rows in batch.tables.values() if len(rows["series"])]
    high = max(named, default=0)
    if high >= len(numbers):
        raise MalformedBlock(f"names series {high}, of {len(numbers) - 1} declared", "body")
    return batch, numbers


def _part(entry: Entry, rows: Rows, numbers: NDArray[np.int32]) -> _Part:
    series = numbers[rows["series"]]
    kept = series != ERASED
    if kept.all():
        return _Part(entry, rows, series)
    return _Part(entry, {name: column[kept] for name, column in rows.items()}, series[kept])


@dataclass(frozen=True, slots=True)
class _Runs:
    """Rows of many parts as runs of one part and one series, brought together by series.

    ``order`` are the rows so, ``part`` and ``series`` (our numbers) of each run as it then stands,
    ``length`` its rows. Within a series rows stand as they arrived.
    """

    order: Order
    part: NDArray[np.int64]
    series: NDArray[np.int32]
    length: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Sequence[_Part], names: Names) -> Self:
        """Of parts in order of their offsets, one of which has rows at least."""
        counts = [len(part.series) for part in parts]
        series = np.concatenate([part.series for part in parts])
        ends = np.cumsum(counts)
        is_new = np.ones(len(series), bool)
        np.not_equal(series[1:], series[:-1], out=is_new[1:])
        is_new[ends[:-1][ends[:-1] < len(series)]] = True
        starts = np.flatnonzero(is_new)
        length = np.diff(starts, append=len(series))
        part = np.searchsorted(ends, starts, "right")
        numbers = series[starts]
        runs = lake_parquet.order_of(names.ranks()[numbers], starts)
        if runs is None:
            return cls(None, part, numbers, length)
        starts, length = starts[runs], length[runs]
        order = np.repeat(starts - (np.cumsum(length) - length), length)
        order += np.arange(len(series))
        return cls(order, part[runs], numbers[runs], length)

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """A value of each run for each of its rows."""
        return np.repeat(values, self.length)


def _table(spec: TableSpec, kinds: Mapping[Kind, Sequence[_Part]], names: Names) -> pa.Table | None:
    found = [(kind, part) for kind, of in kinds.items() for part in of]
    found.sort(key=lambda one: one[1].entry.offset)
    parts = [part for _, part in found]
    counts = [len(part.series) for part in parts]
    if not sum(counts):
        return None
    runs = _Runs.of(parts, names)
    columns = _name_columns(runs, names)
    for name in spec.schema.names:
        if name in FROM_ENTRY:
            columns[name] = pa.array(runs.spread(_of_entries(parts, name)[runs.part]))
        elif name not in columns:
            pieces = [getter(kind, name)(part.rows) for kind, part in found]
            columns[name] = array(pieces, counts, spec.schema.field(name).type, runs.order)
    table = pa.table([columns[name] for name in spec.schema.names], schema=spec.schema)
    offsets = runs.spread(_of_entries(parts, "offset")[runs.part])
    return table.append_column(OFFSET_COLUMN, pa.array(offsets))


def _of_entries(parts: Sequence[_Part], name: str) -> NDArray[np.int64]:
    return np.array([getattr(part.entry, name) for part in parts], np.int64)


def _name_columns(runs: _Runs, names: Names) -> dict[str, pa.Array]:
    """The columns that name a series, each a dictionary of what these rows use, in their order."""
    first = np.ones(len(runs.series), bool)
    np.not_equal(runs.series[1:], runs.series[:-1], out=first[1:])
    local = np.cumsum(first) - 1
    found = [names.name(number) for number in runs.series[first].tolist()]
    columns: dict[str, pa.Array] = {}
    for name in ("gateway", "device", "metric", "unit", "labels"):
        words = pa.array([getattr(each, name) for each in found], pa.string()).dictionary_encode()
        indices = runs.spread(words.indices.to_numpy()[local])
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(indices), words.dictionary)
    columns["kind"] = pa.array(runs.spread(np.array([one.kind for one in found], np.int8)[local]))
    columns["series"] = pa.array(runs.spread(np.array([one.id for one in found], np.int64)[local]))
    return columns
