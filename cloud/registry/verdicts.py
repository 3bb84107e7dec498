"""Verdicts on episodes in the registry's file: added with their audit row, never changed."""

from typing import Any

from cloud.registry.file import RegistryFile
from cloud.series.verdicts import Verdict, VerdictKind


class VerdictRows(RegistryFile):
    """The verdicts of one cloud; every method may be called from any thread."""

    def verdicts(self) -> list[Verdict]:
        """Every verdict in the order they were given."""
        return [_verdict(row) for row in self._rows("SELECT * FROM verdicts ORDER BY number")]

    def add_verdict(self, verdict: Verdict) -> int:
        """Keep a new verdict, durably; says its number."""
        names = (name for name in Verdict.__dataclass_fields__ if name != "number")
        row: dict[str, object] = {name: getattr(verdict, name) for name in names}
        row |= {"kind": verdict.kind.value, "series": f"{verdict.series:016x}"}
        with self.transaction():
            done = self._db.table("verdicts").insert(row)
            self.audit(
                verdict.created_us, "verdict", verdict.episode, verdict.author, verdict.kind.value
            )
            return int(done.last_rowid or 0)


def _verdict(row: dict[str, Any]) -> Verdict:
    said = {"kind": VerdictKind(row["kind"]), "series": int(row["series"], 16)}
    return Verdict(**(row | said))
