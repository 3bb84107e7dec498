"""What the sensors of a simulated plant say: every reading can be computed again from its place.

Each poll of a plant asks every series once, in so many parts one after the other. A series swings
through the day and is noisy; the odd ones come with two decimals, the even ones as 32-bit floats
do, so that the codec finds in them what it finds in life. Times are jittered by up to 100 ms.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protos.records import Batch, Kind, Quality, concat, table
from protos.series import SeriesEntry, SeriesKey, make_entry

POLL_US: Final = 5_000_000
JITTER_MS: Final = 100
ANOMALY_EVERY: Final = 1000
"""Of so many polls one holds an anomaly: a chunk that a full buffer keeps longest."""
METRICS_PER_DEVICE: Final = 8
START_US: Final = 1_790_000_000_000_000
_DAY_S: Final = 86_400
_MODEL: Final = "outage 1"

Array = NDArray[Any]


@dataclass(frozen=True)
class Plant:
    """So many series, asked every `POLL_US` in so many ``parts``; poll 0 is at `START_US`."""

    series: int
    parts: int = 1

    @cached_property
    def entries(self) -> tuple[SeriesEntry, ...]:
        """Its series table."""
        return tuple(self._entry(number) for number in range(1, self.series + 1))

    def _entry(self, number: int) -> SeriesEntry:
        device = (number - 1) // METRICS_PER_DEVICE + 1
        key = SeriesKey(f"machine {device}", f"channel {number}")
        return make_entry(number, device, key, number.to_bytes(16, "big"))

    def polled(self, poll: int, part: int | None = None) -> Batch:
        """What one poll brings, or one part of it."""
        numbers = np.arange(1, self.series + 1, dtype=np.uint32)
        if part is not None:
            numbers = numbers[part :: self.parts]
        polls = np.full(len(numbers), poll, np.int64)
        columns = {
            "series": numbers,
            "ts": self.times(polls, numbers),
            "value": values(polls, numbers),
            "quality": int(Quality.SENSOR),
            "arrival": START_US + polls * POLL_US + self._offsets(numbers) + JITTER_MS * 1000,
        }
        batch = table(Kind.NUMBERS, columns)
        return concat([batch, self._anomaly(poll)]) if has_anomaly(poll) and not part else batch

    def times(self, polls: Array, series: Array) -> Array:
        """Event times, µs UTC."""
        jitter = _noise(polls, series, 1) * JITTER_MS
        begins: Array = START_US + polls * POLL_US + self._offsets(series)
        return begins + jitter.astype(np.int64) * 1000

    def heard_us(self, poll: int, part: int = 0) -> int:
        """When all of a part of a poll has been heard, and is committed."""
        return START_US + poll * POLL_US + part * POLL_US // self.parts + JITTER_MS * 1000

    def _offsets(self, series: Array) -> Array:
        offsets: Array = (series.astype(np.int64) - 1) % self.parts * POLL_US // self.parts
        return offsets

    def _anomaly(self, poll: int) -> Batch:
        number, at = np.array([1], np.uint32), np.array([poll], np.int64)
        told = {"series": number, "ts": self.times(at, number), "value": values(at, number)}
        return table(Kind.SCORES, {**told, "score": [9.0], "threshold": [3.0], "model": _MODEL})


def has_anomaly(poll: int) -> bool:
    """Whether a poll holds an anomaly."""
    return poll % ANOMALY_EVERY == ANOMALY_EVERY - 1


def values(polls: Array, series: Array) -> Array:
    """What is measured: float64."""
    number = series.astype(np.float64)
    day = polls * (POLL_US / 1e6 / _DAY_S) * 2 * np.pi
    measured = 20 + number + 5 * np.sin(day + number) + _noise(polls, series, 2) - 0.5
    told: Array = np.where(series % 2 == 1, np.round(measured, 2), measured.astype(np.float32))
    return told


def _noise(polls: Array, series: Array, salt: int) -> Array:
    """Even noise in [0, 1) of each (poll, series): splitmix64 of their numbers."""
    x = polls.astype(np.uint64) * np.uint64(1_048_583) + series.astype(np.uint64)
    x = (x + np.uint64(salt << 56)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    even: Array = (x ^ (x >> np.uint64(31))) / 2.0**64
    return even
