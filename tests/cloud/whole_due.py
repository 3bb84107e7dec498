"""All that was sent to a whole cloud, as a plain list, and what of it is known to be otherwise."""

from dataclasses import dataclass, field

from tests.cloud.correction_world import STRETCHES

DEVICES = ("a °C", "b °F", "c °C", "d K", "e °C")
"""By their gateways: two of the first, two of the second, and what is imported."""


@dataclass(frozen=True)
class Reading:
    """One that was sent: its stamp, its stretch of wrong time if it is of one, its value."""

    ts: int
    value: float | str
    stretch: int | None = None


@dataclass
class Due:
    """What was sent of each device, in the order it came, and said of it since."""

    readings: dict[str, list[Reading]] = field(default_factory=lambda: {d: [] for d in DEVICES})
    texts: list[tuple[int, str]] = field(default_factory=list)
    corrected: set[int] = field(default_factory=set)
    scores: int = 0
    imported: set[tuple[int, float]] = field(default_factory=set)

    def rows(self) -> dict[str, list[tuple[int, float]]]:
        """(true time as far as it is known, value) of each device, in the order they came."""
        return {
            device: [(self._time(one), one.value) for one in sent]
            for device, sent in self.readings.items()
        }

    def _time(self, one: Reading) -> int:
        is_right = one.stretch in self.corrected
        return one.ts + (STRETCHES[one.stretch].offset_us if is_right else 0)

    def count(self) -> int:
        return sum(map(len, self.readings.values())) + len(self.texts)
