"""Messages on their way: each in `notify.db` before it is sent, until it is delivered or too old.

At least once: a message that was sent while the process died is sent again, under the same id, by
which a receiver can tell. Messages of one channel go in their order, except that one that was
refused waits by itself; what is dropped is counted with its reason.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from cloud.notify.file import NotifyFile

LOG_ROWS_MAX: Final = 20_000
"""Messages that the log keeps of those that are done."""
ERROR_CHARS_MAX: Final = 400
FIRST_RETRY_US: Final = 1_000_000


class State(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DROPPED = "dropped"


class Reason(StrEnum):
    """Why something was dropped."""

    TOO_OLD = "too old"
    OUTBOX_FULL = "too many waited"
    CHANNEL_REMOVED = "its channel was removed"
    TOO_MANY_TURNS = "too many changes waited"
    TOO_MANY_STANDINGS = "too many stood"
    TEST_FAILED = "a test that failed"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message; ``document`` is what `wording.document` made."""

    number: int
    id: str
    channel: str
    document: Mapping[str, Any]
    made_us: int
    attempts: int


def retry_us(attempts: int, most_us: int, chance: float) -> int:
    """After how long a failed message is tried again: doubled each time, ±25 % by ``chance``.

    ``chance`` is in [0, 1); ``most_us`` is the most.
    """
    base = min(FIRST_RETRY_US << min(attempts - 1, 40), most_us)
    return min(int(base * (0.75 + 0.5 * chance)), most_us)


@dataclass(frozen=True, slots=True)
class Outbox:
    """The messages of one file. ``waiting_max`` of each channel wait, for ``life_us`` at most."""

    file: NotifyFile
    waiting_max: int
    life_us: int

    def put(self, channel: str, document: Mapping[str, Any], now_us: int) -> None:
        """Keep a message that shall be sent; of too many the oldest is dropped. StorageError."""
        with self.file.transaction():
            self.file.change(
                "INSERT INTO notices (id, channel, severity, subject, document, made_us, due_us,"
                " state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 'waiting')",
                document["id"], channel, document["severity"], document["subject"],
                orjson.dumps(document).decode(), now_us,
            )  # fmt: skip
            over = self._waiting(channel) - self.waiting_max
            if over > 0:
                self._drop(
                    "number IN (SELECT number FROM notices WHERE state = 'waiting' AND channel = ?"
                    " ORDER BY number LIMIT ?)",
                    (channel, over), Reason.OUTBOX_FULL, now_us,
                )  # fmt: skip

    def next(self, channel: str, now_us: int, longest_us: int) -> Notice | None:
        """The oldest message that is due; one due later than ``longest_us`` is of a clock set back.

        Raises:
            StorageError: the file cannot be read or written.
        """
        self._drop(
            "state = 'waiting' AND channel = ? AND made_us < ?", (channel, now_us - self.life_us),
            Reason.TOO_OLD, now_us,
        )  # fmt: skip
        found = self.file.rows(
            "SELECT number, id, channel, document, made_us, attempts FROM notices"
            " WHERE state = 'waiting' AND channel = ? AND (due_us <= ? OR due_us > ?)"
            " ORDER BY number LIMIT 1",
            channel, now_us, now_us + 2 * longest_us,
        )  # fmt: skip
        if not found:
            return None
        return Notice(**(found[0] | {"document": orjson.loads(found[0]["document"])}))

    def due_us(self, channel: str) -> int | None:
        """When the next message of a channel is due; None when none waits."""
        (row,) = self.file.rows(
            "SELECT min(due_us) AS due FROM notices WHERE state = 'waiting' AND channel = ?",
            channel,
        )
        due: int | None = row["due"]
        return due

    def delivered(self, notice: Notice, now_us: int, remark: str = "") -> None:
        """It arrived; its document is let go. ``remark``: what is to be said of it all the same."""
        self.file.change(
            "UPDATE notices SET state = 'delivered', attempts = attempts + 1, error = ?,"
            " document = '', done_us = ? WHERE number = ?",
            remark[:ERROR_CHARS_MAX], now_us, notice.number,
        )  # fmt: skip

    def failed(self, notice: Notice, error: str, due_us: int) -> None:
        """It did not; it is tried again at ``due_us``."""
        self.file.change(
            "UPDATE notices SET attempts = attempts + 1, error = ?, due_us = ? WHERE number = ?",
            error[:ERROR_CHARS_MAX], due_us, notice.number,
        )  # fmt: skip

    def keep_only(self, channels: Collection[str], now_us: int) -> None:
        """Drop what waits for channels that there are no more."""
        names = {row["channel"] for row in self.file.rows(
            "SELECT channel FROM notices WHERE state = 'waiting' UNION SELECT channel FROM turns"
        )}  # fmt: skip
        with self.file.transaction():
            for name in sorted(names - set(channels)):
                self._drop(
                    "state = 'waiting' AND channel = ?", (name,), Reason.CHANNEL_REMOVED, now_us
                )
                gone = self.file.change("DELETE FROM turns WHERE channel = ?", name)
                self.file.dropped(name, Reason.CHANNEL_REMOVED, gone)

    def prune(self, before_us: int) -> None:
        """Forget messages that were done before, and of the rest the oldest over LOG_ROWS_MAX."""
        self.file.change(
            "DELETE FROM notices WHERE state != 'waiting' AND (done_us < ? OR number <= (SELECT"
            " number FROM notices WHERE state != 'waiting' ORDER BY number DESC LIMIT 1 OFFSET ?))",
            before_us, LOG_ROWS_MAX,
        )  # fmt: skip

    def waiting(self) -> dict[str, int]:
        """How many messages wait, by channel."""
        rows = self.file.rows(
            "SELECT channel, count(*) AS waiting FROM notices WHERE state = 'waiting'"
            " GROUP BY channel"
        )
        return {row["channel"]: row["waiting"] for row in rows}

    def _waiting(self, channel: str) -> int:
        (row,) = self.file.rows(
            "SELECT count(*) AS waiting FROM notices WHERE state = 'waiting' AND channel = ?",
            channel,
        )
        return int(row["waiting"])

    def _drop(self, which: str, arguments: tuple[object, ...], reason: Reason, now_us: int) -> None:
        """Drop waiting messages, and count them by channel."""
        by_channel = f"SELECT channel, count(*) AS many FROM notices WHERE {which} GROUP BY channel"
        found = self.file.rows(by_channel, *arguments)
        if not found:
            return
        with self.file.transaction():
            self.file.change(
                f"UPDATE notices SET state = 'dropped', document = '', done_us = ?, error ="
                f" ? || CASE error WHEN '' THEN '' ELSE ': ' || error END WHERE {which}",
                now_us, reason.value, *arguments,
            )  # fmt: skip
            for row in found:
                self.file.dropped(row["channel"], reason, row["many"])


def log_test(
    file: NotifyFile,
    channel: str,
    document: Mapping[str, Any],
    now_us: int,
    remark: str,
    error: str | None,
) -> None:
    """Log a message that a person sent to try a channel; it is not tried again. StorageError."""
    with file.transaction():
        file.change(
            "INSERT INTO notices (id, channel, severity, subject, document, made_us, due_us,"
            " attempts, state, error, done_us) VALUES (?1, ?2, ?3, ?4, '', ?5, ?5, 1, ?6, ?7, ?8)",
            document["id"], channel, document["severity"], document["subject"],
            document["made_us"], State.DELIVERED if error is None else State.DROPPED,
            (remark if error is None else error)[:ERROR_CHARS_MAX], now_us,
        )  # fmt: skip
        file.dropped(channel, Reason.TEST_FAILED, int(error is not None))
