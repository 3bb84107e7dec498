"""Pure: cursors of a journal that was restored from an older copy, or begun anew.

Both happen under a new `generation`, before the first gateway is heard. What the lake holds beyond
the copy is told by its floors; the rest the gateways send again (docs/decisions/0025).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cloud.journal_cursor import CLOSED_EPOCHS_MAX, Closed, Cursor
from protos.block import GENESIS_HASH
from protos.series import EMPTY_ROOT

EPOCH_LEAP: Final = 1 << 20
"""Epochs left out, so that none granted after the copy was made is ever granted again."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The lake holds all blocks of the gateway's ``epoch`` up to ``seq``, whose hash this is."""

    gateway: str
    epoch: int
    seq: int
    hash: bytes


def reborn(cursor: Cursor, floors: Sequence[Floor]) -> Cursor:
    """The cursor as the restored journal begins with: `stored` is never below what the lake holds.

    Its present epoch is closed and the next one is far above: each gateway is granted it at its
    first hello. ``floors`` of other gateways are passed over.
    """
    present = Closed(cursor.epoch, cursor.stored, cursor.stored_hash, cursor.archived)
    known = {one.epoch: one for one in (*cursor.closed, present)}
    for floor in floors:
        if floor.gateway != cursor.gateway:
            continue
        was = known.get(floor.epoch, Closed(floor.epoch, 0, GENESIS_HASH, 0))
        if floor.seq >= was.stored:
            was = replace(was, stored=floor.seq, stored_hash=floor.hash)
        known[floor.epoch] = replace(was, archived=max(was.archived, floor.seq))
    closed = tuple(known[no] for no in sorted(known) if known[no].stored or known[no].deleted)
    return replace(
        cursor,
        epoch=max(known) + EPOCH_LEAP,
        stored=0,
        stored_hash=GENESIS_HASH,
        archived=0,
        series_known=0,
        series_root=EMPTY_ROOT,
        closed=closed[-CLOSED_EPOCHS_MAX:],
    )
