"""One moment of history: the files of the tables as of an offset, and the tail behind it."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloud.lake_table.files import FileList
from cloud.lake_table.schema import READINGS
from cloud.live_tail import TailBatch


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class View:
    """``tables`` hold the offsets up to ``lake``, ``tail`` those after it up to ``journal``."""

    lake: int
    journal: int
    tables: Mapping[str, FileList]
    tail: tuple[TailBatch, ...]

    def has_tail(self, series: int) -> bool:
        """Whether the tail has readings of a stored series."""
        held = (batch.tables.get(READINGS.name) for batch in self.tail)
        return any(rows is not None and series in rows.runs for rows in held)
