"""What operators asked of the journal from another process, carried out by the one that writes."""

import contextlib

from cloud.journal.sqlite.sqlite_journal import SqliteJournal


def carry_out(journal: SqliteJournal) -> list[str]:
    """Pardon the gateways that were asked for; their names, once it is durable.

    One that never opened a session has nothing to be pardoned. Asked for twice, or carried out
    again after a crash, a pardon does no more than once.
    """
    apart = journal.quarantined_blocks
    asked = apart.pardons()
    for gateway in asked:
        with contextlib.suppress(KeyError):
            journal.forgive(gateway).result()
        apart.pardoned(gateway)
    return [*asked]
