"""Operations on series in the registry's file: added with their audit row, never changed."""

import json
from typing import Any

from cloud.errors import StorageError
from cloud.registry.file import RegistryFile
from cloud.series.operation import Operation, OperationKind, packed, unpacked


class OperationRows(RegistryFile):
    """The operations of one cloud; every method may be called from any thread."""

    def operations(self) -> list[Operation]:
        """Every operation, in the order they were made. StorageError when one is damaged."""
        rows = self._rows("SELECT * FROM operations ORDER BY number")
        return [_operation(row) for row in rows]

    def add_operation(self, operation: Operation) -> None:
        """Keep a new operation, durably."""
        told = json.dumps(packed(operation), ensure_ascii=False)
        row = {
            "id": operation.id, "kind": operation.kind.value, "created_us": operation.created_us,
            "author": operation.author, "note": operation.note, "told": told,
        }  # fmt: skip
        subject = operation.target or f"{operation.series:016x}"
        with self.transaction():
            self._db.table("operations").insert(row)
            self.audit(
                operation.created_us, f"series {row['kind']}", subject, operation.author,
                operation.id,
            )  # fmt: skip


def _operation(row: dict[str, Any]) -> Operation:
    try:
        kind, told = OperationKind(row["kind"]), unpacked(json.loads(row["told"]))
        said = {name: row[name] for name in ("id", "created_us", "author", "note")}
        return Operation(kind=kind, **said, **told)
    except (ValueError, KeyError, TypeError, IndexError, ZeroDivisionError) as error:
        tried = f"read the operation {row['id']} of the registry"
        raise StorageError(tried, f"{type(error).__name__}: {error}", "restore a backup") from error
