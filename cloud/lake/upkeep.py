"""What is done for tables beside filling them: merging, retention, sorting, unneeded files."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from cloud.lake.embedded import Decoded, Pause, no_pause
from cloud.lake.merge import merge_in
from cloud.lake.release import Spared
from cloud.lake.sorter import Sorter, SortProgress
from cloud.lake.table.schema import READINGS, ROLLUPS
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable
from cloud.retention.erase import carry_out
from cloud.retention.removal import Retention
from cloud.retention.retired import write_retired
from cloud.retention.rules import Retired, Rules
from cloud.retention.spare import spared
from cloud.settings import CloudSettings
from cloud.settings import Retention as RetentionSettings


class Upkeep:
    """A bounded part of it with every pass; for the consolidator's thread alone."""

    def __init__(self, sorter: Sorter | None = None, retention: Retention | None = None) -> None:
        self.sweeper = Sweeper()
        self._sorter = sorter or Sorter()
        self._retention = retention or Retention(Rules([]), lambda: 0)

    @property
    def is_behind(self) -> bool:
        """Whether more is to be done at once."""
        return self._sorter.is_behind or self._retention.is_behind

    @property
    def retired(self) -> Retired:
        """What was removed so far, by rule or by order."""
        return self._retention.retired

    @property
    def sorting(self) -> SortProgress:
        """How far the sorting of `readings` is."""
        return self._sorter.progress

    def open(self, tables: Mapping[str, LakeTable]) -> None:
        """The tables were opened anew, which removed what no log names.

        An order to erase that was cut short is carried out before anything new comes.
        """
        self.close()
        self.sweeper.forget()
        self._retention.open(tables[READINGS.name])
        self._retention.retired = carry_out(tables, self.sweeper, self.retired)

    def spare(self, decoded: Decoded, root: Path) -> Spared:
        """Rows of a block that is released, without those that orders given since it came take.

        What tells of these, in the lake under ``root``, is to be called before their commit.
        """
        rest, removed = spared(decoded, self.retired.orders)

        def tell() -> int:
            if not removed:
                return 0
            self._retention.retired = self.retired.erasing(removed)
            write_retired(root, self.retired)
            return self.retired.ticket

        return rest, tell

    def close(self) -> None:
        """Let go of all files."""
        self._sorter.forget()

    def carry_out(self, tables: Mapping[str, LakeTable]) -> int:
        """A merge of each table, what retention removes, and a slice of sorting.

        All tables stand at one offset. Returns how many files were replaced. Raises as
        `LakeTable.append`.
        """
        held = self._sorter.held
        merged = merge_in(tables[READINGS.name], self.sweeper, held)
        others = (table for table in tables.values() if table.spec is not READINGS)
        merged += sum(merge_in(table, self.sweeper) for table in others)
        aged = [tables[spec.name] for spec in (READINGS, *ROLLUPS)]
        merged += bool(self._retention.carry_out(aged, self.sweeper, held))
        return merged + self._sorter.carry_out(tables[READINGS.name], self.sweeper)


class UpkeepSettings(msgspec.Struct, frozen=True):
    """What the settings say of it, as a consolidation process is told too (`cloud.roles.wire`)."""

    sort_after_s: float
    free_bytes_min: int
    retention: dict[str, RetentionSettings]

    @classmethod
    def of(cls, settings: CloudSettings) -> "UpkeepSettings":
        """Of all settings."""
        free_bytes_min = settings.journal.free_bytes_min
        return cls(settings.lake.sort_after_s, free_bytes_min, settings.retention)


def upkeep_by(
    settings: UpkeepSettings, now_us: Callable[[], int], pause: Pause = no_pause
) -> Upkeep:
    """As the settings say; ``pause`` lets others go first."""
    sorter = Sorter(
        quiet_s=settings.sort_after_s, free_bytes_min=settings.free_bytes_min, pause=pause
    )
    return Upkeep(sorter, Retention(Rules.of(settings.retention), now_us, pause))
