"""Marks in the registry's file: written with their audit row in one transaction, never deleted."""

from typing import Any

from cloud.registry.file import RegistryFile
from cloud.series.marks import Mark, MarkKind


class MarkRows(RegistryFile):
    """The marks of one cloud; every method may be called from any thread."""

    def marks(self) -> list[Mark]:
        """Every mark, withdrawn ones too, in the order of their ids."""
        return [_mark(row) for row in self._rows("SELECT * FROM marks ORDER BY id")]

    def add_mark(self, mark: Mark) -> None:
        """Keep a new mark, durably."""
        with self.transaction():
            self._db.table("marks").insert(_columns(mark))
            self.audit(mark.created_us, "mark", mark.id, mark.author, mark.kind.value)

    def withdraw_mark(self, mark_id: str, author: str, now_us: int) -> None:
        """Note that a mark holds no more, by whom and since when."""
        with self.transaction():
            self._connection.execute(
                "UPDATE marks SET withdrawn_us = ?, withdrawn_by = ?"
                " WHERE id = ? AND withdrawn_us IS NULL",
                (now_us, author, mark_id),
            )
            self.audit(now_us, "mark", mark_id, author, "withdrawn")


def _columns(mark: Mark) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(mark, name) for name in Mark.__dataclass_fields__}
    return row | {
        "kind": mark.kind.value,
        "series": ",".join(f"{each:016x}" for each in mark.series),
    }


def _mark(row: dict[str, Any]) -> Mark:
    ids = row["series"].split(",") if row["series"] else ()
    series = tuple(int(each, 16) for each in ids)
    return Mark(**(row | {"kind": MarkKind(row["kind"]), "series": series}))
