"""Pure: cursors of a journal that was restored from an older copy, or begun anew.

Both happen under a new `generation`, before the first gateway is heard. What the lake holds beyond
the copy is told by its floors; the rest the gateways send again (docs/decisions/0025).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cloud.journal.counts import Tally
from cloud.journal.cursor import CLOSED_EPOCHS_MAX, Closed, Cursor
from protos.block import GENESIS_HASH
from protos.series import EMPTY_ROOT

EPOCHS_OF_A_GENERATION: Final = 1 << 20
"""Each generation grants epochs of its own, so that none granted after the copy was made is ever
granted again, also when one copy is restored twice; 2^20 of them outlive any gateway's card."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The lake holds all blocks of the gateway's ``epoch`` up to ``seq``, whose hash this is."""

    gateway: str
    epoch: int
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Ground:
    """What a living lake says of the journal it was made from, up to ``offset``.

    ``generation``: of the newest journal it saw. ``tallies``: what it passed, by gateway, all of it
    stored and archived.
    """

    offset: int
    generation: int
    floors: tuple[Floor, ...] = ()
    tallies: Mapping[str, Tally] = field(default_factory=dict)


def reborn(cursor: Cursor, floors: Sequence[Floor], generation: int) -> Cursor:
    """The cursor that a restored journal of ``generation`` begins with, not below its lake.

    Its present epoch is closed and the next is of the new generation: each gateway is granted it at
    its first hello. Sessions, too, go on above any that was ever given. ``generation`` must be one
    that never was (seconds since 1970 are), not the copy's plus one. ``floors`` of other gateways
    are passed over.
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
        session=max(cursor.session, generation * EPOCHS_OF_A_GENERATION),
        epoch=max(max(known) + 1, generation * EPOCHS_OF_A_GENERATION),
        stored=0,
        stored_hash=GENESIS_HASH,
        archived=0,
        series_known=0,
        series_root=EMPTY_ROOT,
        closed=closed[-CLOSED_EPOCHS_MAX:],
    )
