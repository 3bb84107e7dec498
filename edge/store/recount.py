"""What is missing at the start: rows of the file held against the totals and numbers that it keeps.

SQLite believes a page that says it has a row less than it has: the row is gone without a word. So
the sum of unsealed rows is kept beside them, the series table says how far it goes, and blocks are
numbered without a hole. It also believes a page that has one row twice and another not at all,
which no sum shows: so numbers are seen to rise.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge.errors import StorageError
from edge.seal import RowKind, SealError
from edge.store.gaps import Gap
from edge.store.memory import (
    UNSEALED_BYTES,
    UNSEALED_ROWS,
    Memory,
    write_totals,
)
from edge.store.notes import Note
from edge.store.rows import SealedRows
from protos.records import GapReason

TORN_ENDS: Final = "log_ends_torn"
"""Openings that found the log's last commit not whole: a power cut in the middle of it, or damage
to one that was acknowledged; the two look alike."""

_IN_ORDER: Final = {
    "chunk": "SELECT no FROM chunks ORDER BY no",
    "block": "SELECT epoch, seq FROM blocks ORDER BY epoch, seq",
    "the row of block": "SELECT epoch, seq FROM blocks NOT INDEXED ORDER BY rowid",
}
"""Keys that rise in the order in which SQLite walks them, unless a page is damaged."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Missing:
    """Rows that are gone, why that is known, and what the cloud is told of it."""

    name: str
    reason: str
    gap: Gap


@dataclass(frozen=True, slots=True)
class _Found:
    """Unsealed chunks as they are: their rows and bytes, how many open, and their times."""

    rows: int = 0
    size: int = 0
    good_rows: int = 0
    from_us: int = 0
    to_us: int = 0


def check_numbers(rows: SealedRows, memory: Memory, series: int) -> None:
    """StorageError when series entries or blocks that were numbered are not there any more.

    Without them what is kept could be sent under another's name, or twice.
    """
    state, file = memory.state, rows.file
    if series < state.series_high:
        _damaged(rows, f"series entries {series + 1} to {state.series_high} are missing")
    sql = "SELECT count(*), max(seq), min(seq) FROM blocks WHERE epoch = ?"
    count, last, first = file.one(sql, state.epoch) or (0, None, None)
    if count and (last < state.head or last - first + 1 != count):
        _damaged(rows, f"of blocks {first} to {state.head} only {count} are there")
    if not count and state.head > state.archived:
        _damaged(rows, f"blocks up to {state.head} are missing")


def check_order(rows: SealedRows) -> None:
    """StorageError when a chunk or a block is there twice: it could be sent twice, another never.

    Reads the numbers alone, not what is sealed under them.
    """
    for name, sql in _IN_ORDER.items():
        previous: tuple[int, ...] = ()
        for key in rows.file.stream(sql):
            if key <= previous:
                _damaged(rows, f"{name} {'/'.join(map(str, key))} is there twice or out of place")
            previous = key


def recount_chunks(rows: SealedRows, memory: Memory) -> None:
    """Tell rows that are gone as Gaps and in the quarantine; make the totals right."""
    told = memory.totals.get(UNSEALED_ROWS, 0)
    missing = list(_of_blocks(rows, memory))
    right: dict[str, int] = {}
    if sum(_sum(rows, *stretch) for stretch in memory.sealed.free()) != told:
        found = _opened(rows, memory)
        right = {UNSEALED_ROWS: found.rows - told,
                 UNSEALED_BYTES: found.size - memory.totals.get(UNSEALED_BYTES, 0)}  # fmt: skip
        # Rows too many that do not open are told one by one when they are next in line.
        if found.rows < told or found.good_rows > told:
            name = f"rows of chunks before {memory.next_chunk}"
            reason = f"{told} unsealed rows were counted, {found.rows} are here"
            gap = Gap(found.from_us, found.to_us, max(told - found.rows, 0), GapReason.DAMAGED)
            missing.append(_Missing(name, reason, gap))
    if missing or right:
        _tell(rows, memory, missing, right)


def _tell(
    rows: SealedRows, memory: Memory, missing: Sequence[_Missing], right: Mapping[str, int]
) -> None:
    note = Note(rows, memory)
    note.add(one.gap for one in missing if one.gap.count)
    counted = {"quarantined": len(missing), "quarantined_rows": sum(m.gap.count for m in missing)}
    totals = dict(memory.totals)
    with rows.transaction():
        for one in missing:
            _log.error("the buffer has lost %s: %s", one.name, one.reason)
            rows.set_aside(RowKind.CHUNK, one.name, one.reason, one.gap.count, b"")
        note.write(memory.next_chunk)
        for added in (counted, right, note.added):
            write_totals(rows, totals, dict(added))
    note.adopt()
    memory.totals = totals


def _of_blocks(rows: SealedRows, memory: Memory) -> Iterator[_Missing]:
    """What is missing of blocks that still have their chunks, once for each block."""
    released = (memory.state.released_epoch, memory.state.released)
    sql = """SELECT epoch, seq, blocks.rows - (SELECT coalesce(sum(rows), 0) FROM chunks
        WHERE no BETWEEN first AND last) AS gone, rows FROM blocks
        WHERE (epoch, seq) > (?, ?) AND gone > 0"""
    for epoch, seq, gone, whole in rows.file.rows(sql, *released):
        name = f"rows of block {epoch}/{seq}"
        if rows.file.one("SELECT 1 FROM quarantine WHERE name = ?", name) is None:
            reason = f"{whole - gone} of {whole} are here: it cannot be made again"
            yield _Missing(name, reason, Gap(0, 0, gone, GapReason.DAMAGED))


def _sum(rows: SealedRows, first: int, last: int) -> int:
    sql = "SELECT coalesce(sum(rows), 0) FROM chunks WHERE no BETWEEN ? AND ?"
    (found,) = rows.file.one(sql, first, last) or (0,)
    return int(found)


def _opened(rows: SealedRows, memory: Memory) -> _Found:
    """Count again, opening each chunk: the number in a row's column may be what is wrong."""
    total = size = good = 0
    times: list[int] = []
    sql = "SELECT no, rows, bytes, data, from_us, to_us FROM chunks WHERE no BETWEEN ? AND ?"
    for first, last in memory.sealed.free():
        for no, count, length, data, from_us, to_us in rows.file.stream(sql, first, last):
            total, size = total + count, size + length
            try:
                rows.unseal(RowKind.CHUNK, rows.chunk_identity(no), count, data)
            except SealError:
                continue  # found, named and told when it is next in line
            good += count
            times += (from_us, to_us)
    return _Found(total, size, good, min(times, default=0), max(times, default=0))


def _damaged(rows: SealedRows, cause: str) -> None:
    hint = "its structure is damaged: move it aside, keep it, and start anew"
    raise StorageError(f"read the buffer {rows.file.path}", cause, hint)
