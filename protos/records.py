"""Pure: what a chunk or block carries, as columns: kinds of records, their schemas, and batches.

A table is a mapping from column name to a one-dimensional array; all columns of a table are of
one length. Integers and floats have the column's own dtype, strings are object arrays of ``str``,
16-byte ids are ``V16`` (``.tobytes()`` of an element gives the bytes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from protos.limits import MODEL_BYTES_MAX, TEXT_BYTES_MAX

Array = NDArray[Any]
Rows = Mapping[str, Array]


class Kind(IntEnum):
    """Kinds of records; the numbers are on the wire and are never used again."""

    NUMBERS = 1
    TEXTS = 2
    SCORES = 3
    EPISODES = 4
    GAPS = 5
    CORRECTIONS = 6


class Quality(IntEnum):
    """Where a reading's time came from."""

    SENSOR = 0
    GATEWAY_SYNCED = 1
    GATEWAY_UNSYNCED = 2
    """An estimate, in order of arrival; ``arrival`` is ``ts`` + the stretch's tag, and no lag."""
    GATEWAY_CORRECTED = 3
    """Was UNSYNCED until the gateway told how far its clock was off; never sent in a block."""


class GapReason(IntEnum):
    """Why records are missing; the number in the ``reason`` column of GAPS."""

    EVICTED = 1
    DELETED_BEFORE_LOSS = 2
    DAMAGED = 3


class EpisodeState(IntEnum):
    """How an episode stands; the number in the ``state`` column of EPISODES, rising with its life.

    A later word on an episode (its ``id``) takes the place of those before it.
    """

    OPENED = 0
    UPDATED = 1
    CLOSED = 2


class ColumnType(Enum):
    """What a column holds; the value is the numpy dtype of its array."""

    U1 = "u1"
    U4 = "<u4"
    I8 = "<i8"
    F8 = "<f8"
    ID16 = "V16"
    STR = "O"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a schema; ``bytes_max`` bounds the UTF-8 of one string in a STR column."""

    name: str
    type: ColumnType
    bytes_max: int = 0
    dtype: np.dtype[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", np.dtype(self.type.value))


def _columns(**types: ColumnType | int) -> tuple[Column, ...]:
    """Columns in the order given; a whole number stands for a STR column with that bound."""
    return tuple(
        Column(name, ColumnType.STR, of) if isinstance(of, int) else Column(name, of)
        for name, of in types.items()
    )


_U1, _U4, _I8, _F8, _ID = (
    ColumnType.U1,
    ColumnType.U4,
    ColumnType.I8,
    ColumnType.F8,
    ColumnType.ID16,
)

SCHEMAS: Final[Mapping[Kind, tuple[Column, ...]]] = MappingProxyType(
    {
        Kind.NUMBERS: _columns(series=_U4, ts=_I8, value=_F8, quality=_U1, arrival=_I8),
        Kind.TEXTS: _columns(series=_U4, ts=_I8, text=TEXT_BYTES_MAX, quality=_U1, arrival=_I8),
        Kind.SCORES: _columns(
            series=_U4, ts=_I8, value=_F8, score=_F8, threshold=_F8, model=MODEL_BYTES_MAX
        ),
        Kind.EPISODES: _columns(
            series=_U4,
            ts=_I8,
            id=_ID,
            state=_U1,
            end=_I8,
            peak_ts=_I8,
            peak=_F8,
            threshold=_F8,
            model=MODEL_BYTES_MAX,
            points=_U4,
        ),
        Kind.GAPS: _columns(
            series=_U4, ts=_I8, to=_I8, count=_I8, reason=_U1, seq_from=_I8, seq_to=_I8
        ),
        Kind.CORRECTIONS: _columns(
            series=_U4, ts=_I8, boot_id=_ID, mono_from=_I8, mono_to=_I8, offset=_I8
        ),
    }
)
"""Columns of each kind in canonical order. Times are µs UTC; ``ts`` is the reading's event time, an
episode's start, a gap's first lost time. GAPS and CORRECTIONS have series 0, the gateway itself."""


def no_rows(kind: Kind) -> Rows:
    """A table of ``kind`` with its columns and no row."""
    return {column.name: np.empty(0, column.dtype) for column in SCHEMAS[kind]}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Records of several kinds; a kind without rows is absent from ``tables`` or empty."""

    tables: Mapping[Kind, Rows]

    def count(self, kind: Kind) -> int:
        """Rows of one kind."""
        rows = self.tables.get(kind)
        return 0 if rows is None else len(rows["series"])

    @property
    def rows(self) -> int:
        """Rows of all kinds."""
        return sum(len(rows["series"]) for rows in self.tables.values())

    def kind(self, kind: Kind) -> Rows:
        """The table of one kind, with all its columns even when it has no row."""
        return self.tables.get(kind) or no_rows(kind)

    def same_as(self, other: "Batch") -> bool:
        """Whether both hold the same rows in the same order, floats compared by their bits."""
        return all(
            _same(self.kind(kind)[column.name], other.kind(kind)[column.name])
            for kind, columns in SCHEMAS.items()
            for column in columns
        )


def _same(a: Array, b: Array) -> bool:
    if a.dtype == object or b.dtype == object:
        return bool(a.tolist() == b.tolist())
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def concat(batches: Sequence[Batch]) -> Batch:
    """All rows of ``batches`` in order, kind by kind."""
    filled = [batch for batch in batches if batch.rows]
    if len(filled) == 1:
        return filled[0]
    tables: dict[Kind, Rows] = {}
    for kind, columns in SCHEMAS.items():
        parts = [batch.tables[kind] for batch in filled if batch.count(kind)]
        if len(parts) == 1:
            tables[kind] = parts[0]
        elif parts:
            tables[kind] = {c.name: np.concatenate([p[c.name] for p in parts]) for c in columns}
    return Batch(tables)


def strings(values: Sequence[str] | Array) -> Array:
    """An object array of ``str`` (numpy's own conversion would make a fixed-width one)."""
    if isinstance(values, np.ndarray) and values.dtype == object:
        return values
    array = np.empty(len(values), object)
    array[:] = list(values)
    return array


def ids(values: Sequence[bytes] | Array) -> Array:
    """A ``V16`` array of 16-byte ids; ValueError when one is of another length."""
    if isinstance(values, np.ndarray):
        return values
    if any(len(value) != 16 for value in values):
        raise ValueError("an id is of 16 bytes")
    return np.frombuffer(b"".join(values), "V16")


def table(kind: Kind, columns: Mapping[str, Any]) -> Batch:
    """A batch of one kind from its columns, brought to the schema's dtypes.

    A scalar stands for a column of equal values where another column gives the length (``ts`` must
    be an array). ValueError when a column is missing, unknown, or of another length.
    """
    schema = SCHEMAS[kind]
    if columns.keys() != {column.name for column in schema}:
        raise ValueError(f"{kind.name} has columns {[c.name for c in schema]}, not {[*columns]}")
    length = len(np.asarray(columns["ts"]))
    return Batch({kind: {c.name: _column(c, columns[c.name], length) for c in schema}})


def _column(column: Column, values: Any, length: int) -> Array:
    if isinstance(values, (str, bytes)) or np.ndim(values) == 0:
        values = [values] * length
    if column.type is ColumnType.STR:
        array = strings(values)
    elif column.type is ColumnType.ID16:
        array = ids(values)
    else:
        array = np.asarray(values, column.dtype)
    if array.shape != (length,):
        raise ValueError(f"column {column.name} has shape {array.shape}, {length} rows expected")
    return array


def numbers(
    series: ArrayLike, ts: ArrayLike, value: ArrayLike, quality: ArrayLike, arrival: ArrayLike
) -> Batch:
    """A batch of number readings; ``series`` u4 entries, times µs, ``value`` f8."""
    columns = {"series": series, "ts": ts, "value": value, "quality": quality, "arrival": arrival}
    return table(Kind.NUMBERS, columns)


def texts(
    series: ArrayLike, ts: ArrayLike, text: ArrayLike, quality: ArrayLike, arrival: ArrayLike
) -> Batch:
    """A batch of text readings; ``text`` is a sequence of ``str``."""
    columns = {"series": series, "ts": ts, "text": text, "quality": quality, "arrival": arrival}
    return table(Kind.TEXTS, columns)


def scores(
    series: ArrayLike,
    ts: ArrayLike,
    value: ArrayLike,
    score: ArrayLike,
    threshold: ArrayLike,
    model: ArrayLike,
) -> Batch:
    """A batch of anomalies: readings whose ``score`` passed ``threshold`` by ``model``."""
    columns = {
        "series": series,
        "ts": ts,
        "value": value,
        "score": score,
        "threshold": threshold,
        "model": model,
    }
    return table(Kind.SCORES, columns)
