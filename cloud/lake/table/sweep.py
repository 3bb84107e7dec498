"""Files that a merge replaced, deleted once nobody reads them."""

import time
from collections.abc import Sequence
from typing import Final

from cloud.lake.table.table import LakeTable

GRACE_S: Final = 60.0
"""How long a replaced file stays for readers that hold no view of ours (other engines)."""


class Sweeper:
    """Deletes replaced files after their grace, never one that a held view names.

    What a crash leaves behind is not remembered here: `LakeTable.accept` removes it at start.
    """

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._retired: list[tuple[float, LakeTable, str]] = []

    def retire(self, table: LakeTable, paths: Sequence[str]) -> None:
        """These files (relative paths) are no longer in the log, durably."""
        now = time.monotonic()
        self._retired += [(now, table, path) for path in paths]

    def sweep(self, in_use: frozenset[str]) -> int:
        """Delete what is past its grace and not in ``in_use`` (absolute paths); how many."""
        due = time.monotonic() - self._grace_s
        held = [
            since > due or f"{table.folder}/{path}" in in_use
            for since, table, path in self._retired
        ]
        gone = [item for item, is_held in zip(self._retired, held, strict=True) if not is_held]
        self._retired = [item for item, is_held in zip(self._retired, held, strict=True) if is_held]
        for _, table, path in gone:
            table.remove([path])
        return len(gone)

    def forget(self) -> None:
        """The tables were opened anew, which removed everything retired."""
        self._retired = []
