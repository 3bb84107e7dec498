"""The embedded engine: blocks of the journal to rows of the lake's tables, a column at a time.

One function makes the rows of both views: the consolidator commits them to the tables, `cloud.live`
keeps them as the tail. No step handles single rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cloud.errors import StorageError
from cloud.journal import Entry
from cloud.lake_columns import FROM_ENTRY, TABLE_OF, array, getter
from cloud.lake_names import ERASED, Names
from cloud.lake_table.schema import TABLES, TableSpec
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
"""Lets others go first, for a moment (`cloud.courtesy`)."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Rows by table name, unordered between series but in arrival order within each.

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


def _table(spec: TableSpec, kinds: Mapping[Kind, Sequence[_Part]], names: Names) -> pa.Table | None:
    parts = [(kind, part) for kind, of in kinds.items() for part in of]
    if not sum(len(part.series) for _, part in parts):
        return None
    counts = [len(part.series) for _, part in parts]
    numbers = np.concatenate([part.series for _, part in parts])
    columns = _name_columns(numbers, names)
    for name in spec.schema.names:
        if name in FROM_ENTRY:
            origin = np.array([getattr(part.entry, name) for _, part in parts], np.int64)
            columns[name] = pa.array(np.repeat(origin, counts))
        elif name not in columns:
            pieces = [getter(kind, name)(part.rows) for kind, part in parts]
            columns[name] = array(pieces, counts, spec.schema.field(name).type)
    offsets = np.repeat(np.array([part.entry.offset for _, part in parts], np.int64), counts)
    table = pa.table([columns[name] for name in spec.schema.names], schema=spec.schema)
    table = table.append_column(OFFSET_COLUMN, pa.array(offsets))
    in_order = not len(offsets) or bool((np.diff(offsets) >= 0).all())
    return table if in_order else table.take(pa.array(np.argsort(offsets, kind="stable")))


def _name_columns(series: NDArray[np.int32], names: Names) -> dict[str, pa.Array]:
    """The columns that name a series, each a dictionary of what these rows use."""
    used = np.unique(series) if len(series) < 4096 else np.flatnonzero(np.bincount(series))
    local = np.zeros(int(used[-1]) + 1, np.int32)
    local[used] = np.arange(len(used), dtype=np.int32)
    row = local[series]
    found = [names.name(int(number)) for number in used]
    columns: dict[str, pa.Array] = {}
    for name in ("gateway", "device", "metric", "unit", "labels"):
        words = pa.array([getattr(each, name) for each in found], pa.string()).dictionary_encode()
        indices = words.indices.to_numpy()[row]
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(indices), words.dictionary)
    columns["kind"] = pa.array(np.array([each.kind for each in found], np.int8)[row])
    columns["series"] = pa.array(np.array([each.id for each in found], np.int64)[row])
    return columns
