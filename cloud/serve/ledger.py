"""The ledger as JSON: from the journal's counts, the blocks set apart, and the table of gaps."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from cloud.journal.counts import Tally
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.quarantine import Quarantined
from cloud.lake.table.schema import GAPS
from cloud.ledger.account import Apart, Lost, as_json, make_ledger
from cloud.ledger.of_lake import gaps_of
from cloud.live.view import View

KEPT_MAX: Final = 100_000
"""Sums of gaps that are kept, over all files; some 30 MB. A file that has no room is read again."""

Aside = Callable[[], Sequence[Quarantined]]
"""Tells the blocks set apart."""
Key = tuple[str, int, int]
"""Gateway, epoch and reason of gaps."""


class Gaps:
    """What the files of `gaps` declare, each read once while it is in the view; for any thread."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept: dict[str, Mapping[Key, Lost]] = {}
        self._kept_max = kept_max
        self._lock = threading.Lock()

    def of(self, paths: Sequence[str]) -> dict[Key, Lost]:
        """All that these files declare, as `gaps_of`, which see for what is raised.

        A data file never changes, so its name says what is in it.
        """
        found: dict[Key, Lost] = {}
        with self._lock:  # who asks meanwhile finds them read
            self._kept = {path: self._kept[path] for path in paths if path in self._kept}
            room = self._kept_max - sum(map(len, self._kept.values()))
            for path in paths:
                told = self._kept.get(path)
                if told is None:
                    told = gaps_of([path])
                    if len(told) <= room:
                        self._kept[path] = told
                        room -= len(told)
                for key, lost in told.items():
                    has = found.get(key, Lost())
                    found[key] = Lost(has.records + lost.records, has.readings + lost.readings)
        return found


class Journal(Protocol):
    """What the ledger needs of a journal."""

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor."""

    def counts(self) -> Mapping[str, Tally]:
        """What was ever stored and archived, by gateway."""


def answer(
    journal: Journal, apart: Sequence[Apart], view: View, gateway: str | None, gaps: Gaps
) -> Mapping[str, Any]:
    """Every row, or those of one gateway; StorageError when the gaps cannot be read.

    ``view`` is held by the caller, so that its files stay until the answer is made.
    """
    told = gaps.of(view.tables[GAPS.name].paths())
    gone = view.retired.by_epoch(), view.retired.erased_by_epoch()
    rows = make_ledger(journal.cursors(), journal.counts(), apart, told, *gone)
    return {"ledger": [as_json(row) for row in rows if gateway in (None, row.gateway)]}
