"""The registry's file, small and rarely written, and its audit trail."""

from pathlib import Path
from typing import Any, ClassVar, Final, Self

from cloud.kept_file import KeptFile
from cloud.registry.rows import LIFE_US
from cloud.registry.schema import MIGRATIONS, STEPS

AUDIT_ROWS_MAX: Final = 100_000


class RegistryFile(KeptFile):
    """The file of one cloud's registry.

    ``life_us``: how long a gateway's certificate serves from its issue.
    """

    WHAT: ClassVar = "the registry"
    LOST: ClassVar = ", or restore it from a backup"
    MIGRATIONS: ClassVar = MIGRATIONS
    STEPS: ClassVar = STEPS
    life_us = LIFE_US

    @classmethod
    def open(cls, path: Path, life_us: int = LIFE_US) -> Self:
        """As any kept file."""
        made = super().open(path)
        made.life_us = life_us
        return made

    def audit(self, now_us: int, action: str, subject: str, actor: str, outcome: str) -> None:
        """Write down who did what to whom and how it ended; the oldest rows leave."""
        with self.transaction():
            row = {"at_us": now_us, "action": action, "subject": subject}
            done = self._db.table("audit").insert(row | {"actor": actor, "outcome": outcome})
            oldest = (done.last_rowid or 0) - AUDIT_ROWS_MAX
            self._connection.execute("DELETE FROM audit WHERE id <= ?", (oldest,))

    def audit_rows(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest audit rows: id, at_us, action, subject, actor, outcome."""
        return self._rows("SELECT * FROM audit ORDER BY id DESC LIMIT ?", limit)
