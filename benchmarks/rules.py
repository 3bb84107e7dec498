"""What judging a reading by a rule costs, by kind of rule, beside a loop over the readings.

The same readings of a thousand series in batches as the agent takes them, and as few at a time as
from a site with few sensors. The baseline is the plainest loop that keeps a switch with hysteresis
for each series: `above`, reading by reading, in Python.
"""

import json
import sys
import time

import numpy as np

from edge.detect.rules import Columns, Rules
from edge.detect.rules_silence import Listening
from edge.settings_watch import Watch, When
from protos.series import SeriesKey

READINGS = 1_000_000
SERIES = 1000
BATCHES = (16, 256, 4096)
START_US = 1_800_000_000_000_000
LIMIT, BACK = 2.5, 0.5
WATCHES = {
    "above": Watch(when=When.ABOVE, limit=LIMIT, back=BACK),
    "rises": Watch(when=When.RISES, limit=500.0, over_s=2.0),
    "stuck": Watch(when=When.STUCK, limit=60.0),
    "silent": Watch(when=When.SILENT, limit=60.0, cadences=5.0),
}
NO_TEXTS = {"series": np.zeros(0, np.uint32), "ts": np.zeros(0, np.int64)}


class Names:
    """As many series as there are."""

    def __len__(self) -> int:
        return SERIES

    def key(self, entry: int) -> SeriesKey | None:
        return SeriesKey(f"device-{entry % 100}", f"metric-{entry}")


def batches(readings: int, size: int) -> list[Columns]:
    """Readings of all series in turn, one each second of each, noise of width one."""
    chance = np.random.default_rng(7)
    series = np.arange(readings) % SERIES + 1
    every = {
        "series": series.astype(np.uint32),
        "ts": START_US + np.arange(readings, dtype=np.int64) // SERIES * 1_000_000,
        "value": chance.normal(size=readings),
    }
    return [
        {name: column[at : at + size] for name, column in every.items()}
        for at in range(0, readings, size)
    ]


def looped(parts: list[Columns]) -> tuple[float, int]:
    """CPU µs for a reading, and how often something began, in a loop."""
    is_open: dict[int, bool] = {}
    found, begun = 0, time.process_time()
    for part in parts:
        for series, value in zip(part["series"].tolist(), part["value"].tolist(), strict=True):
            if is_open.get(series):
                is_open[series] = value > LIMIT - BACK
            elif value > LIMIT:
                is_open[series] = True
                found += 1
    spent = time.process_time() - begun
    return spent / sum(len(part["series"]) for part in parts) * 1e6, found


def ruled(watch: Watch, parts: list[Columns]) -> tuple[float, int]:
    """The same by a rule."""
    rules, clock, found = Rules({"one": watch}), Listening(), 0
    rules.judge({name: column[:0] for name, column in parts[0].items()}, NO_TEXTS, Names(), clock)
    begun = time.process_time()
    for number, part in enumerate(parts):
        clock.look(number * len(part["series"]) / SERIES, hears=True)
        found += sum(len(one.opened) for one in rules.judge(part, NO_TEXTS, Names(), clock))
    spent = time.process_time() - begun
    return spent / sum(len(part["series"]) for part in parts) * 1e6, found


def main(readings: int = READINGS) -> dict[str, dict[str, float]]:
    """Print and return CPU µs for a reading, by size of batch and kind of rule."""
    told: dict[str, dict[str, float]] = {}
    for size in BATCHES:
        parts = batches(readings, size)
        loop_us, loop_found = looped(parts)
        figures = {"loop": round(loop_us, 4)}
        for name, watch in WATCHES.items():
            us, found = ruled(watch, parts)
            if name == "above" and found != loop_found:
                raise SystemExit(f"the rule found {found}, the loop {loop_found}")
            figures[name] = round(us, 4)
        told[str(size)] = figures
        shown = ", ".join(f"{name} {us:.3f}" for name, us in figures.items())
        print(f"batches of {size:,}: µs a reading: {shown}", file=sys.stderr)
    return told


if __name__ == "__main__":
    print(json.dumps(main()))
