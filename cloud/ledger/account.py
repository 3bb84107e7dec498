"""Pure: the ledger: what of each gateway's epochs was expected, stored, archived, and why not.

One row a gateway and epoch. In seqs, `expected` is the highest that the gateway ever said it had,
or that came; `stored` and `archived` as acknowledged. In readings: what the journal stored, what
the lake was to take of it, what stands aside of that, and what the gateway itself declared lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from cloud.journal.counts import EARLIER, Counts, Tally
from cloud.journal.cursor import Cursor
from cloud.journal.restore import EPOCHS_OF_A_GENERATION
from protos.records import GapReason

REASONS_MAX: Final = 5
"""Reasons of blocks set apart that a row tells; the list of them all is `quarantine list`."""


class Apart(Protocol):
    """A block set apart (`cloud.journal.sqlite.quarantine.Quarantined`)."""

    @property
    def gateway(self) -> str:
        """Whose."""

    @property
    def epoch(self) -> int:
        """Of which epoch."""

    @property
    def offset(self) -> int:
        """Where in the journal; 0 for the other stream of a fork, which is not in it."""

    @property
    def readings(self) -> int:
        """As its header says them."""

    @property
    def reason(self) -> str:
        """Why it is set apart."""

    @property
    def why(self) -> str:
        """Why it was discarded; empty when it was not."""

    @property
    def is_missing(self) -> bool:
        """Whether the journal counts it and the lake does not have it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What gap records of one reason declare: how many records, how many readings."""

    records: int = 0
    readings: int = 0


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One gateway's epoch; epoch 0 stands for all that are too old to be told apart.

    ``blocks`` … ``archived_readings``: the journal's counts. ``quarantined``, ``discarded``:
    (blocks, readings) of these that the lake was to take and does not have. ``forked``: blocks
    of another stream, never stored. ``deleted``: blocks that the gateway had deleted before an
    older journal was restored. ``retired``: readings that were in the lake until retention removed
    them, ``erased``: until an order did. ``gaps``: by the reason's name.
    """

    gateway: str
    epoch: int
    is_open: bool
    expected: int
    stored: int
    archived: int
    counts: Counts
    deleted: int = 0
    quarantined: tuple[int, int] = (0, 0)
    discarded: tuple[int, int] = (0, 0)
    forked: int = 0
    retired: int = 0
    erased: int = 0
    gaps: Mapping[str, Lost] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def generation(self) -> int:
        """The journal's generation that granted the epoch; 0 for the first journal of a cloud."""
        return self.epoch // EPOCHS_OF_A_GENERATION

    @property
    def in_lake(self) -> int:
        """Readings that the lake must hold of what is archived (promise 7)."""
        aside = self.quarantined[1] + self.discarded[1] + self.retired + self.erased
        return self.counts.archived_readings - aside


Gaps = Mapping[tuple[str, int, int], Lost]
"""By gateway, epoch and reason: what the gaps table of the lake declares."""


def make_ledger(
    cursors: Iterable[Cursor],
    tallies: Mapping[str, Tally],
    apart: Sequence[Apart],
    gaps: Gaps,
    retired: Mapping[tuple[str, int], int],
    erased: Mapping[tuple[str, int], int],
) -> list[LedgerRow]:
    """All rows, by gateway and epoch; ``apart`` and ``gaps`` may know more than the tallies.

    ``retired``: readings that retention removed, by gateway and epoch; ``erased``: those that
    orders did.
    """
    rows: list[LedgerRow] = []
    for cursor in sorted(cursors, key=lambda one: one.gateway):
        tally = tallies.get(cursor.gateway, Tally())
        own = [one for one in apart if one.gateway == cursor.gateway]
        gone = [
            {each: n for (name, each), n in removed.items() if name == cursor.gateway}
            for removed in (retired, erased)
        ]
        lost = {key: value for key, value in gaps.items() if key[0] == cursor.gateway}
        for epoch in sorted(_epochs(cursor, tally)):
            row = _row(cursor, tally, epoch)
            row = _with_apart(row, [one for one in own if _home(tally, one.epoch) == epoch])
            found = {k[2]: v for k, v in lost.items() if _home(tally, k[1]) == epoch}
            named = {reason_name(r): found[r] for r in sorted(found)}
            aged, taken = (
                sum(n for each, n in removed.items() if _home(tally, each) == epoch)
                for removed in gone
            )
            rows.append(replace(row, gaps=named, retired=aged, erased=taken))
    return rows


def reason_name(reason: int) -> str:
    """The name of a gap's reason; a later version's reason goes by its number."""
    try:
        return GapReason(reason).name.lower()
    except ValueError:
        return f"reason {reason}"


def as_json(row: LedgerRow) -> dict[str, Any]:
    """The row as the API and `--json` tell it."""
    return {
        "gateway": row.gateway,
        "epoch": row.epoch,
        "generation": row.generation,
        "open": row.is_open,
        "expected": row.expected,
        "stored": row.stored,
        "archived": row.archived,
        "blocks": row.counts.blocks,
        "readings": row.counts.readings,
        "archived_blocks": row.counts.archived_blocks,
        "archived_readings": row.counts.archived_readings,
        "quarantined_blocks": row.quarantined[0],
        "quarantined_readings": row.quarantined[1],
        "discarded_blocks": row.discarded[0],
        "discarded_readings": row.discarded[1],
        "forked_blocks": row.forked,
        "deleted_blocks": row.deleted,
        "retired_readings": row.retired,
        "erased_readings": row.erased,
        "in_lake": row.in_lake,
        "gaps": {
            name: {"records": lost.records, "readings": lost.readings}
            for name, lost in row.gaps.items()
        },
        "reasons": list(row.reasons),
    }


def _epochs(cursor: Cursor, tally: Tally) -> set[int]:
    told = {epoch for epoch, head in tally.heads.items() if head}
    oldest = min((epoch for epoch in tally.epochs if epoch != EARLIER), default=1)
    own = {cursor.epoch} if cursor.epoch else set()
    told |= {past.epoch for past in cursor.closed if past.deleted > past.stored}
    return {*tally.epochs, *own, *(epoch for epoch in told if epoch >= oldest)}


def _home(tally: Tally, epoch: int) -> int:
    """The epoch under which the tally counts this one."""
    if epoch in tally.epochs or EARLIER not in tally.epochs:
        return epoch
    oldest = min((one for one in tally.epochs if one != EARLIER), default=epoch + 1)
    return EARLIER if epoch < oldest else epoch


def _row(cursor: Cursor, tally: Tally, epoch: int) -> LedgerRow:
    counts = tally.epochs.get(epoch, Counts())
    if epoch == cursor.epoch:
        stored, archived = cursor.stored, cursor.archived
    else:
        # Blocks are numbered without a hole, so their count is the last seq.
        closed = next((past for past in cursor.closed if past.epoch == epoch), None)
        stored = closed.stored if closed else counts.blocks
        archived = closed.archived if closed else counts.archived_blocks
    expected = max(tally.heads.get(epoch, 0), stored)
    past = next((one for one in cursor.closed if one.epoch == epoch), None)
    deleted = max(0, past.deleted - stored) if past else 0
    is_open = epoch == cursor.epoch
    return LedgerRow(cursor.gateway, epoch, is_open, expected, stored, archived, counts, deleted)


def _with_apart(row: LedgerRow, apart: Sequence[Apart]) -> LedgerRow:
    missing = [one for one in apart if one.is_missing]
    held = [one.readings for one in missing if not one.why]
    gone = [one.readings for one in missing if one.why]
    reasons = dict.fromkeys(one.why or one.reason for one in apart if one.is_missing)
    return replace(
        row,
        quarantined=(len(held), sum(held)),
        discarded=(len(gone), sum(gone)),
        forked=sum(not one.offset for one in apart),
        reasons=tuple(reasons)[:REASONS_MAX],
    )
