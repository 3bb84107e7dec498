"""What each shipped model costs: windows a second on one core, µs a window, memory.

`python -m benchmarks.scoring`. A batch is one reading of each of 256 series, the least favourable
form: no two windows share a value. Each model runs in a process of its own, whose memory is taken
before a model is loaded, with all of the edge in it, and after it has served. Ends with one JSON
line.
"""

import json
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Final

import numpy as np
import psutil

from edge import memory
from edge.detect.models import SHIPPED, Model, load_folder
from edge.detect.score import Scorer
from protos.records import Quality, numbers
from protos.series import SeriesKind

SERIES: Final = 256
ROUNDS: Final = 31
CALLS: Final = 20
SECOND_US: Final = 1_000_000
MIB: Final = 1 << 20
START_US: Final = 1_700_000_000_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one model costs.

    Attributes:
        windows_per_s: of the model alone at a batch of `SERIES` windows, the median of rounds.
        us_per_window: the same, µs.
        us_per_reading: of all of scoring: routing, windows, model, thresholds.
        mb: resident memory over that of an edge without models, `SERIES` series in service.
        bytes_per_series: windows and thresholds of one series.
    """

    windows_per_s: float
    us_per_window: float
    us_per_reading: float
    mb: float
    bytes_per_series: int


@dataclass(frozen=True, slots=True)
class Gauges:
    """Stands for the catalogue: every series is a gauge."""

    kind_of: "np.ndarray[tuple[int], np.dtype[np.uint8]]"


def measure(label: str) -> Cost:
    """Cost of the shipped model ``label`` in this process."""
    import edge.agent  # noqa: F401 — what is in memory without a model

    memory.share_arena()
    before = psutil.Process().memory_info().rss
    (model,) = (one for one in load_folder(SHIPPED)[0] if one.manifest.label == label)
    per_window = _alone(model)
    per_reading, held = _in_service(model)
    rss = psutil.Process().memory_info().rss
    return Cost(
        round(1 / per_window), per_window * 1e6, per_reading * 1e6, (rss - before) / MIB, held
    )


def _alone(model: Model) -> float:
    """Seconds a window, of a batch of windows that share nothing."""
    window = model.manifest.window
    line = np.random.default_rng(1).normal(20, 0.2, SERIES * window)
    at = np.arange(SERIES, dtype=np.int64) * window
    model.score(line, at)
    took = []
    for _ in range(ROUNDS):
        began = perf_counter()
        for _ in range(CALLS):
            model.score(line, at)
        took.append((perf_counter() - began) / CALLS)
    return statistics.median(took) / SERIES


def _in_service(model: Model) -> tuple[float, int]:
    """Seconds a reading of all of scoring, and bytes held for each series."""
    scorer = Scorer([model], 1.0)
    kinds = Gauges(np.full(SERIES + 1, SeriesKind.GAUGE, np.uint8))
    who = np.arange(1, SERIES + 1, dtype=np.uint32)
    quality = np.full(SERIES, Quality.SENSOR, np.uint8)
    chance = np.random.default_rng(2)
    step_us = round(max(model.manifest.step_s_min, 1.0) * SECOND_US)
    rounds = max(model.manifest.window, 300) + ROUNDS * CALLS
    took = []
    for number in range(rounds):
        ts = np.full(SERIES, START_US + number * step_us, np.int64)
        batch = numbers(who, ts, chance.normal(20, 0.2, SERIES), quality, ts)
        began = perf_counter()
        scorer.score(batch, kinds)
        took.append(perf_counter() - began)
    return statistics.median(took[-ROUNDS * CALLS :]) / SERIES, scorer.nbytes // SERIES


def cost_of(model: Model) -> Cost:
    """Cost of a shipped model, measured in a process of its own."""
    label = model.manifest.label
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.scoring", "--apart", label],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return Cost(**json.loads(told.stdout))


def main() -> dict[str, object]:
    """Measure every shipped model; print them and one JSON line."""
    told: dict[str, object] = {"batch": SERIES}
    for model in load_folder(SHIPPED)[0]:
        cost = cost_of(model)
        told[model.manifest.label] = asdict(cost)
        print(
            f"{model.manifest.label:16} {cost.windows_per_s:10,.0f} windows/s  "
            f"{cost.us_per_window:8.2f} µs a window  {cost.us_per_reading:8.2f} µs a reading in "
            f"all  {cost.mb:6.1f} MB over an edge without models  {cost.bytes_per_series} bytes a "
            "series"
        )
    print(json.dumps(told))
    return told


if __name__ == "__main__":
    if sys.argv[1:2] == ["--apart"]:
        print(json.dumps(asdict(measure(sys.argv[2]))))
    else:
        main()
