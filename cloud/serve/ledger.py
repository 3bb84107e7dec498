"""The ledger as JSON: from the journal's counts, the blocks set apart, and the table of gaps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from cloud.journal_counts import Tally
from cloud.journal_cursor import Cursor
from cloud.lake_table.schema import GAPS
from cloud.ledger import Apart, as_json, make_ledger
from cloud.ledger_lake import gaps_of
from cloud.live import View

Aside = Callable[[], Sequence[Apart]]
"""Tells the blocks set apart."""


class Journal(Protocol):
    """What the ledger needs of a journal."""

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor."""

    def counts(self) -> Mapping[str, Tally]:
        """What was ever stored and archived, by gateway."""


def answer(
    journal: Journal, apart: Sequence[Apart], view: View, gateway: str | None
) -> Mapping[str, Any]:
    """Every row, or those of one gateway; StorageError when the gaps cannot be read.

    ``view`` is held by the caller, so that its files stay until the answer is made.
    """
    gaps = gaps_of(view.tables[GAPS.name].paths())
    rows = make_ledger(journal.cursors(), journal.counts(), apart, gaps)
    return {"ledger": [as_json(row) for row in rows if gateway in (None, row.gateway)]}
