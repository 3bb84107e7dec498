"""Models and rollouts in the registry's file, and what gateways say of the models they run."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud.registry.file import RegistryFile
from cloud.rollout.plan import Behaviour, Rollout, Stage
from protos import sync_pb2 as pb

BY_ITSELF = "tidegate"
"""The actor of what a rollout does by itself."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One model package that may be rolled out; ``sha256`` is of the package, hexadecimal."""

    sha256: str
    name: str
    version: str
    size: int
    published_us: int
    published_by: str
    about: str = ""


class RolloutRows(RegistryFile):
    """Rollouts of one cloud; every method may be called from any thread."""

    def published(self) -> list[PublishedRow]:
        """Every published package, by name, the last published first."""
        sql = "SELECT * FROM published ORDER BY name, published_us DESC, sha256"
        return [PublishedRow(**row) for row in self._rows(sql)]

    def publish(self, row: PublishedRow) -> None:
        """Keep that a package may be rolled out; again is harmless."""
        names = PublishedRow.__dataclass_fields__
        with self.transaction():
            told: dict[str, object] = {name: getattr(row, name) for name in names}
            self._db.table("published").insert(told, ignore=True)
            subject = f"{row.name}@{row.version}"
            self.audit(row.published_us, "model publish", subject, row.published_by, row.sha256)

    def rollouts(self) -> list[Rollout]:
        """Every rollout, in the order they began."""
        return [_rollout(row) for row in self._rows("SELECT * FROM rollouts ORDER BY id")]

    def add_rollout(self, rollout: Rollout) -> int:
        """Keep a new one, durably; says its id. ``rollout.id`` does not count."""
        names = (name for name in Rollout.__dataclass_fields__ if name != "id")
        row: dict[str, object] = {name: getattr(rollout, name) for name in names}
        row |= {"stage": rollout.stage.value}
        with self.transaction():
            done = self._db.table("rollouts").insert(row)
            number = int(done.last_rowid or 0)
            subject = f"{rollout.name}@{rollout.version}"
            told = f"rollout {number}: {rollout.stage.value}, share {rollout.share:g}"
            self.audit(rollout.created_us, "model rollout", subject, rollout.created_by, told)
        return number

    def move_rollout(self, rollout: Rollout, stage: Stage, by: str, why: str, now_us: int) -> bool:
        """Take a rollout to a stage; False when it is no longer where ``rollout`` has it."""
        with self.transaction():
            moved = self._connection.execute(
                "UPDATE rollouts SET stage = ?, stage_us = ?, changed_by = ?, why = ?"
                " WHERE id = ? AND stage = ?",
                (stage.value, now_us, by, why, rollout.id, rollout.stage.value),
            ).rowcount
            if moved:
                action = "model rollback" if stage is Stage.BACK else "model rollout"
                subject, told = f"{rollout.name}@{rollout.version}", f": {why}" if why else ""
                self.audit(now_us, action, subject, by, f"rollout {rollout.id}: {stage}{told}")
        return bool(moved)

    def gateway_names(self) -> list[str]:
        """Gateways that ever enrolled."""
        return [row["name"] for row in self._rows("SELECT name FROM gateways ORDER BY name")]

    def behaviours(self) -> list[Behaviour]:
        """What each gateway last said of each of its models, by gateway."""
        sql = "SELECT * FROM behaviours ORDER BY gateway, name, rollout"
        return [
            Behaviour(row["gateway"], row["at_us"],
                      pb.ModelBehaviour.FromString(base64.b85decode(row["told"])))
            for row in self._rows(sql)
        ]  # fmt: skip

    def note_behaviours(self, said: Mapping[str, Sequence[pb.ModelBehaviour]], now_us: int) -> None:
        """Keep what gateways say now in place of what they said before."""
        with self.transaction():
            for gateway, models in said.items():
                self._connection.execute("DELETE FROM behaviours WHERE gateway = ?", (gateway,))
                self._connection.executemany(
                    "INSERT OR REPLACE INTO behaviours VALUES (?, ?, ?, ?, ?)",
                    [
                        (gateway, one.name, one.rollout, now_us,
                         base64.b85encode(one.SerializeToString()).decode())
                        for one in models
                    ],
                )  # fmt: skip


def _rollout(row: dict[str, Any]) -> Rollout:
    read = {
        "stage": Stage(row["stage"]),
        "is_auto": bool(row["is_auto"]),
        "downgrade": bool(row["downgrade"]),
    }
    return Rollout(**(row | read))
