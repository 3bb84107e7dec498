"""Which cloud an import speaks to: the running one, or the stopped one in this process.

Who holds the lock of the journal runs. A stopped cloud is assembled whole but for its doors, so
that its consolidation empties the journal while an import fills it.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud.client.history import HistoryApi
from cloud.config import CloudConfig
from cloud.errors import OperatorError
from cloud.imports.ledger import Ledger
from cloud.imports.line import JournalLine, Line

Dial = Callable[[], Line]


@contextmanager
def reached(config: CloudConfig, ledger: Ledger) -> Iterator[Dial]:
    """A way to open lines to the cloud of this home, running or not.

    Raises:
        OperatorError: the cloud knows a gateway of that name which this ledger is not of.
        StorageError, UnreachableError: what keeps the cloud from being reached.
    """
    way = _running if is_running(config.journal_folder) else _stopped
    with way(config, ledger) as dial:
        yield dial


def is_running(journal: Path) -> bool:
    """Whether a process holds this journal."""
    path = journal / "lock"
    if not path.exists():
        return False
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _running(config: CloudConfig, ledger: Ledger) -> Iterator[Dial]:
    from cloud.imports.line_sync import SyncLine, enrol, enrolled, retire

    if not ledger.has_begun:
        rows = HistoryApi.of(config).ledger()
        _begin(ledger, {str(row["gateway"]) for row in rows} | enrolled(config))
    shown = enrol(config, ledger, _now_us())
    try:
        yield lambda: SyncLine(config, shown)
    finally:
        retire(config, ledger.gateway, _now_us())


@contextmanager
def _stopped(config: CloudConfig, ledger: Ledger) -> Iterator[Dial]:
    from cloud.aggregator import Aggregator
    from cloud.ingest.gate import open_journal

    journal = open_journal(config, _now_us)
    aggregator = Aggregator.assemble(config, journal)
    try:
        if not ledger.has_begun:
            known = {cursor.gateway for cursor in journal.cursors()}
            _begin(ledger, known | {row.name for row in aggregator.registry.gateways()})
        aggregator.lake.start()
        yield lambda: JournalLine(journal, ledger.gateway)
    finally:
        aggregator.close()


def _begin(ledger: Ledger, known: set[str]) -> None:
    """Take the name, if the cloud knows no other gateway by it."""
    if ledger.gateway in known:
        cause = f"the cloud knows a gateway of that name, and {ledger.path} is not its ledger"
        hint = "choose another --gateway; or restore that file from the newest backup"
        raise OperatorError(f"import as {ledger.gateway!r}", cause, hint)
    ledger.begin()


def _now_us() -> int:
    return time.time_ns() // 1000
