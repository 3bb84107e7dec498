"""A buffer whose gateway was given another name: what the cloud lacks goes there under the new one.

Two machines from one copied card are told apart by this: the copy is enrolled under a name of its
own (docs/decisions/0016). Rows stay bound to the name that the buffer was begun under.
"""

from edge.seal import SealError
from edge.store.memory import (
    UNSEALED_BYTES,
    UNSEALED_ROWS,
    Memory,
    State,
    read_state,
    write_state,
    write_totals,
)
from edge.store.release import Release
from edge.store.rows import SealedRows
from edge.store.spans import Spans


def delivered_as(rows: SealedRows, begun_as: str) -> str:
    """The name in the blocks of a closed buffer, which may not be today's yet."""
    try:
        state = read_state(rows)
    except SealError:
        return begun_as
    return (state and state.name) or begun_as


def take_name(rows: SealedRows, memory: Memory, release: Release, name: str, begun_as: str) -> None:
    """Begin a new life under ``name``, in one transaction, unless the buffer has it already.

    Blocks that the cloud has stored are in history under the old name, and go. Those it has not are
    chunks again, under their ids, and are sealed in epochs that the new name is granted.
    """
    old = memory.state
    if (old.name or begun_as) == name:
        return
    new = State(series_high=old.series_high, series_root=old.series_root, name=name)
    totals = dict(memory.totals)
    with rows.transaction():
        sql = "SELECT * FROM blocks WHERE (epoch, seq) <= (?, ?)"
        for row in rows.file.rows(sql, old.epoch, old.stored):
            release.delete_chunks((row[0], row[1], row[2], row[3], row[4], row[5]))
        rows.file.write("DELETE FROM blocks")
        sql = "SELECT coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM chunks"
        left_rows, left_bytes = rows.file.one(sql) or (0, 0)
        added = {
            UNSEALED_ROWS: left_rows - totals.get(UNSEALED_ROWS, 0),
            UNSEALED_BYTES: left_bytes - totals.get(UNSEALED_BYTES, 0),
        }
        write_totals(rows, totals, added)
        write_state(rows, new)
    memory.state, memory.totals, memory.sealed = new, totals, Spans()
    memory.evict_from = [0, 0]
