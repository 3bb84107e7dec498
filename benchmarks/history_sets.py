"""The sets of the history benchmark, made anew from a seed wherever they are needed.

*Set A*: DEVICES devices with METRICS metrics each, a reading every CADENCE_US, jittered by whole
milliseconds. Nine metrics are quantised as sensors quantise (steps of 0.01 to 1; one of them is a
counter that starts anew now and then), one has all digits of a double. Gateways of fifty devices
send them in blocks of TICKS readings a series. *Set B*: hourly rollups of the same series over a
year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protos import records
from protos.block import GENESIS_HASH, build_block
from protos.records import Batch
from protos.series import SeriesEntry, SeriesKey, SeriesKind, make_entry, root_of, series_id

CADENCE_US: Final = 10_000_000
TICKS: Final = 30
DEVICES_A_GATEWAY: Final = 50
"""So a block holds 15,000 readings, 35 KB, whatever the size of the set."""
START_US: Final = 1_777_593_600_000_000
"""2026-05-01T00:00Z."""
YEAR_START_US: Final = START_US - 365 * 86_400_000_000
BOOT: Final = bytes(range(16))
_METRICS: Final = (
    ("temperature", "°C", 21.0, 0.1, 1),
    ("humidity", "%", 45.0, 0.1, 1),
    ("pressure", "hPa", 1013.0, 0.01, 2),
    ("current", "A", 3.2, 0.01, 2),
    ("voltage", "V", 230.0, 0.1, 1),
    ("level", "mm", 800.0, 1.0, 0),
    ("speed", "1/min", 1480.0, 1.0, 0),
    ("valve", "%", 50.0, 0.5, 1),
    ("energy", "Wh", 0.0, 1.0, 0),
    ("vibration", "mm/s", 2.0, 0.0, 0),
)
"""Name, unit, middle, step (0: all digits of a double), decimals."""
METRICS: Final = len(_METRICS)
COUNTER: Final = 8
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Size:
    """How large the sets are: ``devices`` times METRICS series, ``readings`` of set A in all."""

    readings: int
    devices: int

    @property
    def series(self) -> int:
        """Series of all devices."""
        return self.devices * METRICS

    @property
    def ticks(self) -> int:
        """Readings of each series, whole blocks."""
        return max(TICKS, self.readings // self.series // TICKS * TICKS)

    @property
    def end_us(self) -> int:
        """The end of set A."""
        return START_US + self.ticks * CADENCE_US


@dataclass(frozen=True, slots=True)
class Series:
    """One series of the sets, by every name it has."""

    gateway: str
    device: str
    metric: str
    id: int


class Fleet:
    """The gateways of a set and their series tables."""

    def __init__(self, size: Size) -> None:
        self.size = size
        gateways = -(-size.devices // DEVICES_A_GATEWAY)
        shares = np.array_split(np.arange(size.devices), gateways)
        self.gateways = {f"plant-{i + 1:02d}": share.tolist() for i, share in enumerate(shares)}
        self.tables = {name: _table(share) for name, share in self.gateways.items()}

    def series(self) -> list[Series]:
        """All series, by gateway, device and metric as they were declared."""
        return [
            Series(gateway, e.key.device, e.key.metric, series_id(gateway, e.key))
            for gateway, table in self.tables.items()
            for e in table
            if e.key is not None
        ]


def _table(devices: list[int]) -> list[SeriesEntry]:
    found: list[SeriesEntry] = []
    for number, device in enumerate(devices, 1):
        for at, (metric, unit, *_) in enumerate(_METRICS):
            kind = SeriesKind.COUNTER if at == COUNTER else SeriesKind.GAUGE
            key = SeriesKey(f"machine-{device:05d}", metric, (("hall", "a"),), unit, kind)
            found.append(make_entry(len(found) + 1, number, key, bytes(16)))
    return found


class Sender:
    """One gateway's blocks of set A, in order; ``values`` go on from block to block."""

    def __init__(self, fleet: Fleet, gateway: str) -> None:
        self.gateway = gateway
        self.table = fleet.tables[gateway]
        self._random = np.random.default_rng([7, *gateway.encode()])
        self._level = self._random.integers(-40, 40, len(self.table)).astype(np.float64)
        self._root = root_of(self.table)
        self._device_of = np.array([0, *(e.device_no for e in self.table)], np.uint32)
        self.seq = 0
        self.hash = GENESIS_HASH

    def columns(self) -> dict[str, NDArray[Any]]:
        """Set A's next TICKS readings of every series: ``series`` entries, ``ts``, ``value``."""
        count = len(self.table)
        ticks = (self.seq * TICKS + np.arange(TICKS, dtype=np.int64)) * CADENCE_US + START_US
        jitter = self._random.integers(0, 250, (count, TICKS)) * 1000
        steps = self._random.normal(0, 1.2, (count, TICKS)).round()
        moved = self._random.random((count, TICKS)) < 0.6  # a sensor often says the same again
        walk = np.cumsum(np.where(moved, steps, 0), axis=1) + self._level[:, None]
        values = np.empty((count, TICKS))
        for at, (_, _, middle, step, decimals) in enumerate(_METRICS):
            rows = slice(at, None, METRICS)
            if at == COUNTER:
                values[rows] = self._counted(steps[rows])
            elif step:
                values[rows] = np.round(middle + walk[rows] * step, decimals)
            else:
                values[rows] = middle + self._random.normal(0, 0.3, values[rows].shape)
        self._level = walk[:, -1] * 0.98
        series = np.repeat(np.arange(1, count + 1), TICKS)
        return {"series": series, "ts": (ticks + jitter).ravel(), "value": values.ravel()}

    def _counted(self, steps: Floats) -> Floats:
        """A counter per device: five units a tick, from nothing about once a day."""
        ticks = self.seq * TICKS + np.arange(TICKS)
        counted: Floats = ticks % 8_640 * 5.0 + np.abs(steps).cumsum(axis=1).clip(0, 4)
        return counted

    def batch(self) -> Batch:
        """The next readings, stamped by the gateway's own clock, which is synchronised."""
        rows = self.columns()
        quality = np.ones(len(rows["ts"]))
        return records.numbers(rows["series"], rows["ts"], rows["value"], quality, rows["ts"])

    def block(self) -> bytes:
        """The next block."""
        batch = self.batch()
        self.seq += 1
        built = build_block(
            gateway=self.gateway,
            epoch=1,
            seq=self.seq,
            prev_hash=self.hash,
            boot_id=BOOT,
            sealed_mono_us=self.seq,
            sealed_wall_us=START_US,
            series_high=len(self.table),
            series_root=self._root,
            chunks=(),
            batch=batch,
            device_of=self._device_of,
            secret=bytes(16),
        )
        self.hash = built.hash
        return built.data


def blocks(fleet: Fleet) -> Iterator[tuple[str, int, bytes]]:
    """(gateway, seq, block) of set A as they come to a cloud: the gateways in turn."""
    senders = [Sender(fleet, gateway) for gateway in fleet.gateways]
    for _ in range(fleet.size.ticks // TICKS):
        for sender in senders:
            data = sender.block()
            yield sender.gateway, sender.seq, data
