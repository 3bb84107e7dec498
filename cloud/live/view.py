"""One moment of history: the files of the tables as of an offset, and the tail behind it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloud.lake.table.files import FileList
from cloud.lake.table.schema import READINGS
from cloud.live.tail import TailBatch
from cloud.retention.rules import NOTHING, Retired


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class View:
    """``tables`` hold the offsets up to ``lake``, ``tail`` those after it up to ``journal``.

    ``retired``: what retention removed of the tables.
    """

    lake: int
    journal: int
    tables: Mapping[str, FileList]
    tail: tuple[TailBatch, ...]
    retired: Retired = NOTHING

    def has_tail(self, series: int) -> bool:
        """Whether the tail has readings of a stored series."""
        held = (batch.tables.get(READINGS.name) for batch in self.tail)
        return any(rows is not None and series in rows.runs for rows in held)

    def has_lost(self, stored: Iterable[int], from_us: int, to_us: int) -> bool:
        """Whether retention removed readings of stored series of these times."""
        hulls = (self.retired.hulls.get(one, (0, 0)) for one in stored)
        return any(max(low, from_us) < min(high, to_us) for low, high in hulls)
