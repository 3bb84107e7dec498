"""Where each gateway stands in the SQLite journal, and how a segment keeps it.

A row of the table `cursor` says it as of the gateway's block `last`; the names above `last` in the
same segment move it on. So an append writes no row here, and what is found at opening is what the
writer held: `stored` and its hash, and how much was ever stored, trimmed blocks included.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

import apsw

from cloud.journal.counts import Tally, decode_tally, encode_tally
from cloud.journal.cursor import Cursor, decode_cursor, encode_cursor
from cloud.journal.sqlite.segment import CursorRow
from protos.series import SeriesEntry, decode_entry

_DIGEST: Final = 8
_CURSORS = "SELECT gateway, last, counts, state FROM cursor"
# SQLite takes the other columns from the row that has the maximum.
_NEWEST = "SELECT max(offset), gateway, seq, hash FROM name GROUP BY gateway"
_GROWN = """SELECT name.gateway, name.epoch, count(*), sum(name.readings)
    FROM name LEFT JOIN cursor USING (gateway) WHERE name.offset > ifnull(cursor.last, 0)
    GROUP BY name.gateway, name.epoch ORDER BY name.epoch"""

_ABOVE = "SELECT data FROM series WHERE gateway = ? AND epoch = ? AND entry > ? ORDER BY entry"
_BYTES = "SELECT sum(length(data)) FROM series WHERE gateway = ? AND epoch = ?"
_HAS = "SELECT 1 FROM series WHERE gateway = ? AND epoch = ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Standing:
    """A gateway's cursor, the offset of its newest block (0: none), and how much it ever stored."""

    cursor: Cursor
    last: int = 0
    tally: Tally = field(default_factory=Tally)


def cursor_rows(standing: Iterable[Standing]) -> Iterator[CursorRow]:
    """Rows for a segment's cursor table."""
    for one in standing:
        cursor, counts = one.cursor, encode_tally(one.tally)
        state = encode_cursor(cursor)
        state += _digest(cursor.gateway, one.last, counts, state)
        yield cursor.gateway, cursor.epoch, one.last, counts, state


def load_standing(connection: apsw.Connection) -> dict[str, Standing]:
    """Where every gateway stands, as the segment in use has it: cursors, moved on by the names."""
    standing = {
        gateway: Standing(
            _weighed(connection, _proved(gateway, last, counts, state)), last, decode_tally(counts)
        )
        for gateway, last, counts, state in connection.execute(_CURSORS)
    }
    for gateway, epoch, blocks, readings in connection.execute(_GROWN):
        before = standing.get(gateway) or Standing(Cursor(gateway))
        tally = before.tally.stored(epoch, blocks, readings)
        standing[gateway] = replace(before, tally=tally)
    for offset, gateway, seq, hash in connection.execute(_NEWEST):
        before = standing[gateway]
        if offset > before.last:
            cursor = replace(before.cursor, stored=seq, stored_hash=hash)
            standing[gateway] = Standing(cursor, offset, before.tally)
    return standing


def _proved(gateway: str, last: int, counts: bytes, state: bytes) -> Cursor:
    """The cursor of a row; DecodeError of msgspec when the row is not as it was written."""
    whole, digest = state[:-_DIGEST], state[-_DIGEST:]
    if _digest(gateway, last, counts, whole) == digest:
        return decode_cursor(whole)
    return decode_cursor(state)  # one of before rows were proved has nothing behind it


def _digest(gateway: str, last: int, counts: bytes, state: bytes) -> bytes:
    row = b"%d %s %d %b %b" % (len(counts), gateway.encode(), last, counts, state)
    return blake2b(row, digest_size=_DIGEST).digest()


def _weighed(connection: apsw.Connection, cursor: Cursor) -> Cursor:
    """The cursor with the bytes of its series, which one of an earlier version does not say."""
    if cursor.series_bytes or not cursor.series_known:
        return cursor
    size = connection.execute(_BYTES, (cursor.gateway, cursor.epoch)).get
    return replace(cursor, series_bytes=size or 0)


def load_series(
    connection: apsw.Connection, gateway: str, epoch: int, after: int
) -> list[SeriesEntry] | None:
    """The entries of an epoch above ``after``; None when the segment has not its table."""
    where = (gateway, epoch, after)
    found = [decode_entry(data) for (data,) in connection.execute(_ABOVE, where)]
    if found or connection.execute(_HAS, where[:2]).get is not None:
        return found
    return None
