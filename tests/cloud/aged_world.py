"""A cloud whose readings grow old when a test says so."""

from pathlib import Path

import numpy as np

from cloud.lake.sorter import Sorter
from cloud.lake.table.schema import READINGS
from cloud.lake.upkeep import Upkeep
from cloud.retention.removal import Retention
from cloud.retention.rules import Rule, Rules
from cloud.rollup.partials import DAY_US
from cloud.verify.whole import Verdict, verify
from protos import records
from protos.records import Quality
from tests.cloud.verify_world import T0, Home

SETTINGS = """
[retention.aged]
series = "*/*/metric-1"
readings_days = 10
rollups_days = 50
"""
RULES = Rules([Rule("aged", "*/*/metric-1", 10 * DAY_US, 50 * DAY_US)])


class Aged(Home):
    """Rows of metric-1 leave after ten days, their rollups after fifty; metric-2 stays."""

    def __init__(self, root: Path) -> None:
        self.now_us = T0
        self.is_quiet = False
        super().__init__(root)
        self.stop()
        self.upkeep = self._upkeep
        self.start()

    def _upkeep(self) -> Upkeep:
        self.sorter = Sorter(quiet_s=0.0 if self.is_quiet else 1e9)
        return Upkeep(self.sorter, Retention(RULES, lambda: self.now_us))

    def day(self, day: int, count: int = 20, *, late: int = 0, quality: int = 0) -> None:
        """Readings of both metrics on a day after T0, arrived ``late`` days after."""
        ts = T0 + day * DAY_US + 1_000_000 * np.arange(count)
        made = records.numbers(
            1 + np.arange(count) % 2,
            ts,
            np.arange(count, dtype=float),
            np.full(count, quality),
            ts + late * DAY_US if quality != Quality.GATEWAY_UNSYNCED else ts,
        )
        self.sender("gw").send(batch=made)
        self.drain()

    def pass_days(self, days: int) -> None:
        """Time goes on, and a reading of metric-2 comes, so that it is believed."""
        self.now_us = T0 + days * DAY_US
        last = np.array([self.now_us])
        self.sender("gw").send(
            batch=records.numbers(np.array([2]), last, np.zeros(1), np.zeros(1), last)
        )
        self.settle()

    def settle(self) -> None:
        """Passes until nothing more is to be done."""
        self.drain()
        while self.lake.run_once().is_upkeep_behind:
            pass

    def rows(self, table: str = READINGS.name) -> int:  # type: ignore[override]
        return self.batch().tables[table].rows

    def verdict(self) -> Verdict:
        found = verify(self.root / "journal", self.root / "lake")
        assert found.faults == []
        return found


def one(ts: int) -> records.Batch:
    """A reading of metric-2 at a time."""
    at = np.array([ts])
    return records.numbers(np.array([2]), at, np.zeros(1), np.zeros(1), at)
