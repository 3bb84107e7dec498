"""What stands, what was told of it and what became of each message, for people and programs."""

from typing import Any

from cloud.notify.file import NotifyFile
from cloud.notify.outbox import State
from cloud.notify.rule import What
from cloud.notify.standings import standing_of
from cloud.notify.wording import standing_told

Row = dict[str, Any]


def standings(
    file: NotifyFile,
    *,
    what: What | None = None,
    gateway: str | None = None,
    ended: bool = False,
    before: int | None = None,
    limit: int = 1000,
) -> list[Row]:
    """What stands, that which was found last first; with ``ended`` also what stood.

    ``before`` is the `number` of the row behind which the answer goes on. StorageError.
    """
    rows = file.rows(
        "SELECT * FROM standings WHERE (?1 OR ended_us IS NULL) AND (?2 IS NULL OR what = ?2)"
        " AND (?3 IS NULL OR gateway = ?3) AND (?4 IS NULL OR number < ?4)"
        " ORDER BY number DESC LIMIT ?5",
        ended, None if what is None else what.value, gateway, before, limit,
    )  # fmt: skip
    return [{"number": row["number"], **standing_told(standing_of(row))} for row in rows]


def notices(
    file: NotifyFile,
    *,
    channel: str | None = None,
    state: State | None = None,
    before: int | None = None,
    limit: int = 1000,
) -> list[Row]:
    """Messages and what became of them, the newest first. ``before`` as above. StorageError."""
    return file.rows(
        "SELECT number, id, channel, severity, subject, state, attempts, made_us AS made,"
        " CASE state WHEN 'waiting' THEN due_us END AS due, done_us AS done, error FROM notices"
        " WHERE (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR state = ?2)"
        " AND (?3 IS NULL OR number < ?3) ORDER BY number DESC LIMIT ?4",
        channel, None if state is None else state.value, before, limit,
    )  # fmt: skip
