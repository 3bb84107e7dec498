"""`notify.db`, the file of being told: nothing that is told can hold up who stores readings."""

import logging
import sqlite3
from pathlib import Path
from typing import Any, ClassVar, Self

from cloud.errors import StorageError
from cloud.kept_file import KeptFile
from cloud.notify.schema import MIGRATIONS, STEPS

log = logging.getLogger(__name__)


class NotifyFile(KeptFile):
    """The file of one cloud."""

    WHAT: ClassVar = "what is told"
    LOST: ClassVar = "; without it nothing is known of the past"
    MIGRATIONS: ClassVar = MIGRATIONS
    STEPS: ClassVar = STEPS

    @classmethod
    def open_or_begin(cls, path: Path) -> Self:
        """As `open`; what is no database any more is put aside, `.damaged`, and a new one begun.

        That the past of what was told is lost must not keep a cloud from taking readings in.
        """
        try:
            return cls.open(path)
        except StorageError as error:
            if not isinstance(error.__cause__, sqlite3.DatabaseError) or isinstance(
                error.__cause__, sqlite3.OperationalError
            ):
                raise
            aside = path.with_name(path.name + ".damaged")
            log.error("%s; it is put aside as %s, and what is told begins anew", error, aside)
            path.replace(aside)
            return cls.open(path)

    def rows(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        """The rows of a question. StorageError."""
        return self._rows(sql, *arguments)

    def change(self, sql: str, *arguments: object) -> int:
        """Change rows, alone or in a transaction; says how many. StorageError."""
        with self.transaction():
            return self._connection.execute(sql, arguments).rowcount

    def dropped(self, channel: str, reason: str, count: int) -> None:
        """Count what was dropped of a channel, and why; nothing is dropped without."""
        if count:
            self.change(
                "INSERT INTO dropped VALUES (?1, ?2, ?3)"
                " ON CONFLICT DO UPDATE SET count = count + ?3",
                channel, reason, count,
            )  # fmt: skip

    def drops(self) -> list[dict[str, Any]]:
        """How much was ever dropped, by channel and reason."""
        return self.rows("SELECT channel, reason, count FROM dropped ORDER BY channel, reason")
