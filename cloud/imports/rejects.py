"""What could not become a reading: counted by reason, shown by example, kept in a file."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cloud.errors import OperatorError
from cloud.imports.piece import Reason, Reject
from protos.shown import csv_cell

EXAMPLES_MAX: Final = 3
"""Rejects of each reason that are shown."""
TEXT_CHARS_MAX: Final = 200
FILE_ROWS_MAX: Final = 10_000_000
"""Rows of a rejects file; more are counted only."""


class Rejects:
    """Counts what is rejected; ``path``: a CSV file to write every one to, which must be new."""

    def __init__(self, path: Path | None = None) -> None:
        self.counts: Counter[Reason] = Counter()
        self.examples: dict[Reason, list[tuple[str, Reject]]] = {}
        self._written = 0
        self._file = None
        if path is not None:
            try:
                self._file = path.open("x", encoding="utf-8", newline="")
            except OSError as error:
                hint = "name a new file in a folder that you may write"
                cause = error.strerror or str(error)
                raise OperatorError(f"write rejects to {path}", cause, hint) from error
            self._writer = csv.writer(self._file)
            self._writer.writerow(("file", "row", "column", "reason", "text"))

    @property
    def total(self) -> int:
        """Rejects so far."""
        return self.counts.total()

    def add(self, file: str, rejects: Sequence[Reject]) -> None:
        """Count rejects of a file."""
        for one in rejects:
            self.counts[one.reason] += 1
            shown = self.examples.setdefault(one.reason, [])
            if len(shown) < EXAMPLES_MAX:
                shown.append((file, one))
            if self._file is not None and self._written < FILE_ROWS_MAX:
                self._written += 1
                row = (csv_cell(file), one.row, csv_cell(one.column), one.reason.value)
                self._writer.writerow((*row, csv_cell(one.text[:TEXT_CHARS_MAX])))

    def as_json(self) -> list[dict[str, Any]]:
        """By reason: how many, and examples."""
        return [
            {
                "reason": reason.value,
                "count": count,
                "examples": [
                    {"file": file, "row": one.row, "column": one.column, "text": one.text}
                    for file, one in self.examples[reason]
                ],
            }
            for reason, count in self.counts.most_common()
        ]

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._file is not None:
            self._file.close()
