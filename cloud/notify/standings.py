"""What stands and what stood, in `notify.db`; and which changes of it wait to be told."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from cloud.notify.channel import Severity
from cloud.notify.file import NotifyFile
from cloud.notify.grouping import Group, Turn
from cloud.notify.outbox import Reason
from cloud.notify.rule import What
from cloud.notify.standing import Change, Finding, Key, Standing

TURNS_MAX: Final = 20_000
"""Changes of one channel that wait; of more the oldest are dropped, and that is counted."""
ENDED_MAX: Final = 50_000
"""Standings that are kept once they ended."""


@dataclass(frozen=True, slots=True)
class Standings:
    """The standings of one file; everything raises StorageError where it cannot be used."""

    file: NotifyFile

    def open(self) -> dict[Key, Standing]:
        """All that stand."""
        rows = self.file.rows("SELECT * FROM standings WHERE ended_us IS NULL ORDER BY number")
        return {standing.found.key: standing for standing in map(standing_of, rows)}

    def begin(self, found: Finding, channels: Sequence[str], now_us: int) -> Standing:
        """Something stands; these channels shall be told."""
        made = Standing(secrets.token_hex(16), found, now_us)
        with self.file.transaction():
            self.file.change(
                "INSERT INTO standings (id, rule, what, subject, severity, gateway, device, metric,"
                " detail, since_us, told_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                made.id, found.rule, found.what.value, found.subject, found.severity.value,
                found.gateway, found.device, found.metric, _detail(found), found.since_us, now_us,
            )  # fmt: skip
            self._turn(made, Change.BEGUN, channels, now_us)
        return made

    def end(self, standing: Standing, channels: Sequence[str], now_us: int) -> Standing:
        """It stands no more."""
        ended = replace(standing, ended_us=max(now_us, standing.found.since_us))
        with self.file.transaction():
            self.file.change(
                "UPDATE standings SET ended_us = ?, detail = ? WHERE id = ?",
                ended.ended_us, _detail(standing.found), standing.id,
            )  # fmt: skip
            self._turn(ended, Change.ENDED, channels, now_us)
        return ended

    def again(self, standing: Standing, channels: Sequence[str], now_us: int) -> Standing:
        """It stands still, and is told once more."""
        with self.file.transaction():
            self.file.change(
                "UPDATE standings SET told_us = ?, detail = ? WHERE id = ?",
                now_us, _detail(standing.found), standing.id,
            )  # fmt: skip
            self._turn(standing, Change.AGAIN, channels, now_us)
        return replace(standing, told_us=now_us)

    def turns(self) -> list[Turn]:
        """All changes that wait to be told, in their order."""
        return [
            Turn(**(row | {"change": Change(row["change"])}))
            for row in self.file.rows("SELECT * FROM turns ORDER BY number")
        ]

    def told(self, group: Group) -> list[tuple[Standing, Change]]:
        """What a group says; its changes wait no more."""
        with self.file.transaction():
            found = []
            for identifier, change in group.changes.items():
                rows = self.file.rows("SELECT * FROM standings WHERE id = ?", identifier)
                found += [(standing_of(row), change) for row in rows]
            for turn in group.turns:
                self.file.change("DELETE FROM turns WHERE number = ?", turn.number)
        return found

    def prune(self, before_us: int) -> None:
        """Forget what ended before, and of the rest the oldest over ENDED_MAX.

        What still waits to be told is kept.
        """
        self.file.change(
            "DELETE FROM standings WHERE ended_us IS NOT NULL AND (ended_us < ? OR number <="
            " (SELECT number FROM standings WHERE ended_us IS NOT NULL ORDER BY number DESC"
            " LIMIT 1 OFFSET ?)) AND id NOT IN (SELECT standing FROM turns)",
            before_us, ENDED_MAX,
        )  # fmt: skip

    def known(self, kind: str) -> dict[str, int] | None:
        """What was kept of a kind, by subject; None where nothing ever was."""
        rows = self.file.rows("SELECT subject, value FROM seen WHERE kind = ?", kind)
        return {row["subject"]: row["value"] for row in rows} or None

    def know(self, kind: str, told: Mapping[str, int]) -> None:
        """Keep values of a kind in place of those of the same subjects."""
        with self.file.transaction():
            for subject, value in told.items():
                self.file.change(
                    "INSERT INTO seen VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = ?3",
                    kind, subject, value,
                )  # fmt: skip

    def _turn(
        self, standing: Standing, change: Change, channels: Collection[str], now_us: int
    ) -> None:
        for channel in channels:
            self.file.change(
                "INSERT INTO turns (channel, rule, standing, change, at_us) VALUES (?, ?, ?, ?, ?)",
                channel, standing.found.rule, standing.id, change.value, now_us,
            )  # fmt: skip
            gone = self.file.change(
                "DELETE FROM turns WHERE channel = ?1 AND number <= (SELECT number FROM turns"
                " WHERE channel = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
                channel, TURNS_MAX,
            )  # fmt: skip
            self.file.dropped(channel, Reason.TOO_MANY_TURNS, gone)


def standing_of(row: Mapping[str, Any]) -> Standing:
    """A row of the file."""
    found = Finding(
        row["rule"], What(row["what"]), row["subject"], Severity(row["severity"]), row["gateway"],
        row["since_us"], row["device"], row["metric"], orjson.loads(row["detail"]),
    )  # fmt: skip
    return Standing(row["id"], found, row["told_us"], row["ended_us"])


def _detail(found: Finding) -> str:
    return orjson.dumps(found.detail).decode()
