"""What is done for tables beside filling them: merging, sorting, and files that nobody needs."""

from collections.abc import Mapping

from cloud.lake_embedded import Pause
from cloud.lake_merge import merge_in
from cloud.lake_sorter import Sorter, SortProgress
from cloud.lake_table.schema import READINGS
from cloud.lake_table.sweep import Sweeper
from cloud.lake_table.table import LakeTable
from cloud.settings import CloudSettings


class Upkeep:
    """A bounded part of it with every pass; for the consolidator's thread alone."""

    def __init__(self, sorter: Sorter | None = None) -> None:
        self.sweeper = Sweeper()
        self._sorter = sorter or Sorter()

    @property
    def is_behind(self) -> bool:
        """Whether more is to be done at once."""
        return self._sorter.is_behind

    @property
    def sorting(self) -> SortProgress:
        """How far the sorting of `readings` is."""
        return self._sorter.progress

    def forget(self) -> None:
        """The tables were opened anew, which removed what no log names."""
        self.sweeper.forget()
        self._sorter.forget()

    def carry_out(self, tables: Mapping[str, LakeTable]) -> int:
        """A merge of each table, and a slice of sorting; how many files were merged.

        All tables stand at one offset. Raises as `LakeTable.append`.
        """
        held = self._sorter.held
        merged = sum(merge_in(table, self.sweeper, held) for table in tables.values())
        return merged + self._sorter.carry_out(tables[READINGS.name], self.sweeper)


def upkeep_by(settings: CloudSettings, pause: Pause) -> Upkeep:
    """As the settings say; ``pause`` lets others go first."""
    sorter = Sorter(
        quiet_s=settings.lake.sort_after_s,
        free_bytes_min=settings.journal.free_bytes_min,
        pause=pause,
    )
    return Upkeep(sorter)
