"""The ledger of a cloud that does not run, from the files in its home."""

from contextlib import closing
from pathlib import Path

from cloud.journal.sqlite.quarantine import Quarantine
from cloud.journal.sqlite.snapshot import take_snapshot
from cloud.lake.table.schema import GAPS
from cloud.lake.table.table import look
from cloud.ledger.account import LedgerRow, make_ledger
from cloud.ledger.of_lake import gaps_of
from cloud.retention.retired import retired_now


def read_ledger(journal: Path, lake: Path) -> list[LedgerRow]:
    """All rows, as of the newest committed state; StorageError when the files cannot be read.

    A lake that was never made has no gaps.
    """
    snapshot = take_snapshot(journal)
    gaps = gaps_of(look(lake, GAPS).files.paths()) if (lake / GAPS.name).is_dir() else {}
    with closing(Quarantine(journal / "quarantine.db")) as quarantine:
        apart = quarantine.list()
    cursors = [one.cursor for one in snapshot.standing.values()]
    tallies = {name: one.tally for name, one in snapshot.standing.items()}
    gone = retired_now(lake)
    return make_ledger(cursors, tallies, apart, gaps, gone.by_epoch(), gone.erased_by_epoch())
