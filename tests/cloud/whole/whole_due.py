"""All that was sent to a whole cloud, as a plain list, and what of it is known to be otherwise."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud.settings import Retention
from tests.cloud.correction_world import STRETCHES
from tests.cloud.lake_world import DAY_US

DEVICES = ("a °C", "b °F", "c °C", "d K", "e °C")
"""By their gateways: two of the first, two of the second, and what is imported."""
KEEPS: Mapping[str, Retention] = {
    DEVICES[0]: Retention(series="gw-1/a*", readings_days=1),
    DEVICES[1]: Retention(series="*/b ?F/*", readings_days=1),
    DEVICES[3]: Retention(series="gw-2/d K/temperature", readings_days=1, rollups_days=2),
}
"""Whose history leaves, and when; of the others it stays."""
Rows = list[tuple[int, float]]


@dataclass(frozen=True)
class Reading:
    """One that was sent: its stamp, its stretch of wrong time if it is of one, its value."""

    ts: int
    value: float | str
    stretch: int | None = None


@dataclass
class Due:
    """What was sent of each device, in the order it came, and said of it since.

    ``now_us`` is the time that the tables know of, ``gone`` which readings have left for their age,
    ``erased`` which an order took, of these or others.
    """

    readings: dict[str, list[Reading]] = field(default_factory=lambda: {d: [] for d in DEVICES})
    texts: list[tuple[int, str]] = field(default_factory=list)
    corrected: set[int] = field(default_factory=set)
    scores: list[tuple[str, int]] = field(default_factory=list)
    imported: set[tuple[int, float]] = field(default_factory=set)
    now_us: int = 0
    gone: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    erased: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def rows(self) -> dict[str, Rows]:
        """(true time as far as it is known, value) of each device, in the order they came."""
        return self._rows(self.gone)

    def ever(self) -> dict[str, Rows]:
        """The same, with those that have left for their age."""
        return self._rows({})

    def _rows(self, without: Mapping[str, set[int]]) -> dict[str, Rows]:
        return {
            device: [
                (self._time(one), one.value)
                for at, one in enumerate(sent)
                if at not in self.erased[device] | without.get(device, set())
            ]
            for device, sent in self.readings.items()
        }

    def erase(self, device: str, from_us: int, last_us: int) -> None:
        """An order took what came until now, of these times."""
        self.erased[device] |= {
            at
            for at, one in enumerate(self.readings[device])
            if from_us <= self._time(one) <= last_us
        }
        self.scores = [
            one for one in self.scores if one[0] != device or not from_us <= one[1] <= last_us
        ]

    def rolled(self, device: str) -> Rows:
        """The same of those that its rollups tell of yet."""
        rule = KEEPS.get(device)
        days = rule.rollups_days if rule is not None else 0
        return [row for row in self.ever()[device] if not days or self._stays(row[0], days)]

    def are_waiting(self) -> bool:
        """Whether readings are past their age that may not have left."""
        return any(found - self.gone[device] for device, found in self._aged().items())

    def leave(self) -> None:
        """All that are past their age have left."""
        for device, found in self._aged().items():
            self.gone[device] |= found

    def hull(self, devices: set[str]) -> tuple[int, int]:
        """From which day on and up to which readings of these left; (0, 0) where none did."""
        times = [
            self._time(self.readings[device][at]) for device in devices for at in self.gone[device]
        ]
        if not times:
            return 0, 0
        return min(times) // DAY_US * DAY_US, (max(times) // DAY_US + 1) * DAY_US

    def _aged(self) -> dict[str, set[int]]:
        return {
            device: {
                at
                for at, one in enumerate(self.readings[device])
                if (one.stretch is None or one.stretch in self.corrected)
                and at not in self.erased[device] - self.gone[device]
                and not self._stays(self._time(one), rule.readings_days)
            }
            for device, rule in KEEPS.items()
        }

    def _stays(self, ts: int, days: int) -> bool:
        return (ts // DAY_US + 1 + days) * DAY_US > self.now_us

    def _time(self, one: Reading) -> int:
        is_right = one.stretch in self.corrected
        return one.ts + (STRETCHES[one.stretch].offset_us if is_right else 0)

    def count(self) -> int:
        """Readings that ever came, but those that were erased."""
        return sum(map(len, self.ever().values())) + len(self.texts)

    def left(self) -> int:
        """Of these, those that have left."""
        return sum(len(self.gone[device] - self.erased[device]) for device in DEVICES)
