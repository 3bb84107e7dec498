"""The journal on SQLite: rotated segment files, one writer, any number of readers.

`sqlite_journal` has the calls of `journal.contract.Journal`; they go to the `writer`, which commits
what `held` prepared to the newest `segment`. `reader` and `tail` read beside it, `recovery` opens
what a crash left, `quarantine` keeps blocks that were set apart.
"""

from cloud.journal.sqlite.sqlite_journal import JournalStats, SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits

__all__ = ["JournalLimits", "JournalStats", "SqliteJournal"]
