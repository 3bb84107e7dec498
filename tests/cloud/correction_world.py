"""A gateway whose clock is wrong in stretches, and what history must say after corrections."""

from dataclasses import dataclass

import numpy as np

from protos import records
from protos.records import Batch, Kind, Quality, table
from protos.stretch import stretch_tag
from tests.cloud.lake_runs import World
from tests.cloud.lake_world import DAY_US, T0, Gateway

HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Wrong:
    """A stretch of unsynced time: its line, and how far that is off."""

    boot: bytes
    mono_from: int
    base_us: int
    offset_us: int
    long_us: int = 3 * HOUR_US

    @property
    def tag(self) -> int:
        return stretch_tag(self.boot, self.mono_from)

    def at(self, since_us: int) -> int:
        """The stamp that was given ``since_us`` into the stretch."""
        return self.base_us + self.mono_from + since_us

    def correction(self) -> Batch:
        columns = {
            "series": 0,
            "ts": [self.at(0)],
            "boot_id": [self.boot],
            "mono_from": [self.mono_from],
            "mono_to": [self.mono_from + self.long_us],
            "offset": [self.offset_us],
        }
        return table(Kind.CORRECTIONS, columns)


STRETCHES = (
    Wrong(b"a" * 16, 10_000_000, 0, T0 + 5 * HOUR_US),  # 1970
    Wrong(b"b" * 16, 10_000_000, 0, T0 + 30 * DAY_US),  # 1970 again, another boot
    Wrong(b"b" * 16, 9 * HOUR_US, T0 - 9 * HOUR_US, 0),  # right after all, among true times
)


def unsynced(
    gateway: Gateway, device: str, wrong: Wrong, since: list[int], values: list[float]
) -> Batch:
    """Readings that were stamped in a stretch."""
    ts = np.array([wrong.at(each) for each in since], np.int64)
    quality = np.full(len(ts), int(Quality.GATEWAY_UNSYNCED))
    entry = np.full(len(ts), gateway.series(device))
    return records.numbers(entry, ts, np.array(values), quality, ts + wrong.tag)


def told(world: World) -> list[tuple[object, ...]]:
    """Time, value, quality and lag of every reading in the lake."""
    return world.rows(columns="epoch_us(ts), value, quality, lag_us")
