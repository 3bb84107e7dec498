"""Pure: a chunk made ready for the buffer on its maker's thread: encoded, measured, checked."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import msgspec
import numpy as np

from edge.chunk import MARK_BYTES, Chunk, Reject
from edge.store import remembered
from edge.store.gaps import times_of
from edge.store.limits import StoreLimits
from protos.codec.body import encode_body
from protos.limits import BLOCK_ROWS_MAX
from protos.records import Batch, Kind
from protos.series import SeriesEntry, encode_entry

_COUNTER_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ROW_FRAME: Final = 64
"""Bytes a sealed row takes beside its plaintext: seal, columns, cell."""


class Priority(IntEnum):
    """Which chunks leave a full buffer first; the number is in the ``priority`` column."""

    ORDINARY = 0
    ANOMALY = 1
    """Anomalies, and the readings that were taken in with them."""
    KEPT = 2
    """Gaps and corrections of times: small, and about other chunks; never evicted."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A chunk as bytes, measured; ``top_series`` is the highest entry its rows name.

    ``times`` are the first and last event time of its rows, in µs.
    """

    body: bytes
    rows: int
    top_series: int
    entries: tuple[tuple[SeriesEntry, bytes], ...]
    marks: bytes
    rejects: tuple[bytes, ...]
    counters: dict[str, int]
    size: int
    priority: Priority
    times: tuple[int, int]
    kept: tuple[remembered.Item, ...] = ()

    @property
    def high(self) -> int:
        """The highest series entry this chunk needs or brings."""
        return max(self.top_series, self.entries[-1][0].entry if self.entries else 0)

    def row_sizes(self) -> list[int]:
        """Plain bytes of each row it becomes."""
        sizes = [len(self.body), len(self.marks), *map(len, self.rejects)]
        sizes += [*(len(data) for _, data in self.entries), *remembered.sizes(self.kept)]
        return [size for size in sizes if size]


def prepare_chunk(chunk: Chunk, limits: StoreLimits) -> Prepared:
    """Encode a chunk; ValueError when it is malformed, or larger than one chunk may be."""
    if len(chunk.marks) % MARK_BYTES:
        raise ValueError(f"marks are of {MARK_BYTES} bytes each, not {len(chunk.marks)} in all")
    for name in chunk.counters:
        if not _COUNTER_NAME.fullmatch(name):
            raise ValueError(f"counter {name!r} lies in the open and must be a plain word")
    rows = chunk.batch.rows
    if rows > BLOCK_ROWS_MAX // 2:
        raise ValueError(f"a chunk of {rows} rows is over {BLOCK_ROWS_MAX // 2}: split it")
    body = encode_body(chunk.batch) if rows else b""
    entries = tuple((entry, encode_entry(entry)) for entry in chunk.new_entries)
    rejects = tuple(msgspec.msgpack.encode(reject) for reject in chunk.rejects)
    parts = [body, chunk.marks, *rejects, *(data for _, data in entries)]
    size = sum(len(part) + _ROW_FRAME for part in parts) + sum(remembered.sizes(chunk.kept))
    if size > limits.chunk_bytes_max:
        raise ValueError(f"a chunk of {size} bytes is over {limits.chunk_bytes_max}: split it")
    top = _top_series(chunk.batch)
    return Prepared(
        body,
        rows,
        top,
        entries,
        chunk.marks,
        rejects,
        dict(chunk.counters),
        size,
        _priority(chunk.batch),
        times_of(chunk.batch),
        remembered.checked(chunk.kept),
    )


def _priority(batch: Batch) -> Priority:
    if batch.count(Kind.GAPS) or batch.count(Kind.CORRECTIONS):
        return Priority.KEPT
    if batch.count(Kind.SCORES) or batch.count(Kind.EPISODES):
        return Priority.ANOMALY
    return Priority.ORDINARY


def read_reject(plain: bytes) -> Reject:
    """The reverse of what a chunk's reject becomes."""
    return msgspec.msgpack.decode(plain, type=Reject)


def _top_series(batch: Batch) -> int:
    tops = [int(np.max(rows["series"])) for rows in batch.tables.values() if len(rows["series"])]
    return max(tops, default=0)
