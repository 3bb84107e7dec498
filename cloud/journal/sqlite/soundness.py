"""Is everything of a journal there that was acknowledged and is not yet in the lake?

Asked at each opening. Blocks above `archived` are read and proved one by one, their series rolled
up, every gateway's cursor proved, and the end of each log looked behind. What is archived is the
lake's now, and is counted again by `tidegate-cloud verify`.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import apsw
import msgspec

from cloud.journal.counts import readings_of
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.log_check import read_end
from cloud.journal.sqlite.segment import Segment, last_offset, open_reader
from cloud.journal.sqlite.standing import load_series, load_standing
from protos.block import MalformedBlock, NewerFormat, read_header
from protos.codec.wire import MalformedEntry
from protos.series import EMPTY_ROOT, roll

_BLOCKS = """SELECT offset, gateway, epoch, seq, hash, readings, data
    FROM name LEFT JOIN block USING (offset) WHERE offset > ? ORDER BY offset"""
_MISFITS = (apsw.Error, msgspec.DecodeError, MalformedBlock, MalformedEntry, TypeError, ValueError)
"""What a page that was damaged, or rows of a wrong shape, lead to."""


@dataclass(frozen=True, slots=True)
class Sound:
    """The first ``segments`` of a journal are sound; ``why`` not the rest, "" when there is none.

    ``log``: the log that is damaged at its end, whose segment is sound as far as it can be read.
    ``spent``: so many of the oldest hold damage, and nothing that is not archived.
    """

    segments: int
    why: str = ""
    log: Path | None = None
    spent: int = 0


_COUNT = "SELECT count(*) FROM name NOT INDEXED WHERE length(chunks) >= 0"


class _Damage(Exception):  # noqa: N818 - found and told, never raised out of here
    """Why a segment is not sound."""


def examine(segments: Sequence[Segment], archived: int) -> Sound:
    """Prove what lies above ``archived``, oldest first, up to the first damage.

    A hole in what is archived is none; OSError when the disk fails.
    """
    spent = 0
    for number, segment in enumerate(segments):
        if number + 1 < len(segments) and segments[number + 1].first <= archived + 1:
            spent = spent if _has_names(segment, segments[number + 1].first) else number + 1
            continue
        after = segments[number + 1].first if number + 1 < len(segments) else None
        wrong = read_end(segment.wal).wrong if segment.wal.exists() else 0
        try:
            last = _prove(segment, archived, is_newest=after is None)
        except (_Damage, *_MISFITS) as error:
            return Sound(number, f"{segment.path.name} is damaged: {error}", None, spent)
        if after is None and wrong:
            return Sound(number + 1, _torn(segment, wrong), segment.wal, spent)
        if after is not None and last + 1 != after and after > archived + 1:
            lost = f"blocks {last + 1} to {after - 1} are missing behind {segment.path.name}"
            why = f"{lost} ({_torn(segment, wrong)})" if wrong else lost
            return Sound(number + 1, why, segment.wal if wrong else None, spent)
    return Sound(len(segments), spent=spent)


def _has_names(segment: Segment, after: int) -> bool:
    """Whether an archived segment can still say what it held."""
    try:
        with closing(open_reader(segment)) as reader:
            return bool(reader.execute(_COUNT).get == after - segment.first)
    except apsw.Error:
        return False


def _torn(segment: Segment, wrong: int) -> str:
    pages = f"the last {wrong} pages of its log" if wrong > 1 else "the last page of its log"
    return f"{segment.path.name}: {pages} cannot be read"


def _prove(segment: Segment, archived: int, *, is_newest: bool) -> int:
    """The segment's last offset."""
    with closing(open_reader(segment)) as reader:
        last = last_offset(reader, segment.first)
        roots: dict[tuple[str, int], tuple[int, bytes]] = {}
        expected = max(segment.first, archived + 1)
        if last > archived:
            for row in reader.execute(_BLOCKS, (expected - 1,)):
                _prove_block(row, expected, roots)
                expected += 1
        if is_newest:
            for standing in load_standing(reader).values():
                cursor = standing.cursor
                if cursor.series_known:
                    _prove_series(reader, cursor)
        for (gateway, epoch), (high, root) in roots.items():
            told = Cursor(gateway, epoch=epoch, series_known=high, series_root=root)
            if high and reader.execute(_HAS, (gateway, epoch)).get:
                _prove_series(reader, told)
        return last


_HAS = "SELECT 1 FROM series WHERE gateway = ? AND epoch = ? LIMIT 1"

_Row = tuple[int, str, int, int, bytes, int, bytes]


def _prove_block(row: _Row, expected: int, roots: dict[tuple[str, int], tuple[int, bytes]]) -> None:
    offset, gateway, epoch, seq, hash, readings, data = row
    if offset != expected:
        raise _Damage(f"block {expected} is missing")
    if data is None:
        raise _Damage(f"the bytes of block {offset} are missing")
    try:
        header, found = read_header(bytes(data))
    except NewerFormat:
        return  # a later version took it in, and knew what it did
    told = (header.gateway, header.epoch, header.seq, found, readings_of(header))
    if told != (gateway, epoch, seq, hash, readings):
        raise _Damage(f"block {offset} is not what was acknowledged")
    if header.series_high >= roots.get((gateway, epoch), (0, b""))[0]:
        roots[gateway, epoch] = (header.series_high, header.series_root)


def _prove_series(reader: apsw.Connection, cursor: Cursor) -> None:
    """The entries up to `series_known` must come to `series_root`."""
    root = EMPTY_ROOT
    entries = load_series(reader, cursor.gateway, cursor.epoch, 0) or []
    for entry in entries[: cursor.series_known]:
        root = roll(root, entry.leaf)
    if len(entries) < cursor.series_known or root != cursor.series_root:
        raise _Damage(f"the series of {cursor.gateway}, epoch {cursor.epoch}, are not as declared")
