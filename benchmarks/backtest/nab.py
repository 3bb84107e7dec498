"""The Numenta Anomaly Benchmark: our detection beside what knows nothing of series."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.backtest import folder as folders
from benchmarks.backtest.nab_scoring import Swept, Worth, normalised, raw_score, sweep, worth_of
from benchmarks.backtest.pipeline import Run, replay
from edge.detect.models import Model
from edge.detect.threshold import QUIET

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

RATE: Final = 1.0
"""Stated false alarms for each series and week: what a gateway ships with."""
SEED: Final = 20_260_101
ROLLING: Final = 2_000
"""Values of the rolling mean and deviation."""
ROLLING_LEAST: Final = 20


@dataclass(frozen=True, slots=True)
class Compared:
    """Scores of one corpus, from 0 for no alarm to 100.

    Attributes:
        standard: of the alarms at the shipped threshold; how many there were is ``alarms``.
        swept: at the best single threshold on the rarity of scores.
        flag_all: an alarm at every row; random: of uniform scores; rolling_z: of how many standard
            deviations a value is from its rolling mean. The last two are swept, with runs as ours.
        by_folder: of each folder of the set ours at the shipped threshold, and at the best one for
            all.
    """

    standard: float
    alarms: int
    swept: Swept
    flag_all: float
    random: Swept
    rolling_z: Swept
    by_folder: dict[str, tuple[float, float]]
    weeks: float
    run: Run


def compare(folder: Path, models: Sequence[Model]) -> Compared:
    """Replay a folder and score what comes.

    Raises:
        FolderError: it is not of the form.
    """
    files = folders.read(folder)
    try:
        worths = [worth_of(one.ts, one.windows) for one in files]
    except ValueError as error:
        raise folders.FolderError(f"{folder}: {error}") from error
    if not any(worth.windows for worth in worths):
        raise folders.FolderError(f"{folder} has no labelled window: there is nothing to find")
    run = replay(models, RATE, [one.ts for one in files], [one.value for one in files])
    alarms = [one.alarms for one in run.series]
    rarity = [one.rarity for one in run.series]
    chance = np.random.default_rng(SEED)
    swept = sweep(worths, rarity, QUIET)
    return Compared(
        standard=_score(worths, alarms),
        alarms=sum(map(len, alarms)),
        swept=swept,
        flag_all=_score(worths, [np.arange(len(one.ts)) for one in files]),
        random=sweep(worths, [chance.random(len(one.ts)) for one in files], QUIET),
        rolling_z=sweep(worths, [rolling_z(one.value) for one in files], QUIET),
        by_folder=_by_folder([one.name for one in files], worths, alarms, swept.alarms_of),
        weeks=sum(float(np.ptp(one.ts)) for one in files) / (7 * 86_400 * 1e6),
        run=run,
    )


def rolling_z(value: F8) -> F8:
    """`(n,)` |value - mean| / deviation of the `ROLLING` values before it; 0 for the first ones."""
    rows = np.arange(len(value))
    first = np.maximum(rows - ROLLING, 0)
    count = np.maximum(rows - first, 1)
    centred = value - value[0]
    sums = np.cumsum(np.insert(centred, 0, 0.0))
    squares = np.cumsum(np.insert(centred**2, 0, 0.0))
    mean = (sums[rows] - sums[first]) / count
    variance = (squares[rows] - squares[first]) / count - mean**2
    least = 1e-9 * squares[rows] / np.maximum(rows, 1) + 1e-12
    z: F8 = np.abs(centred - mean) / np.sqrt(np.maximum(variance, least))
    return np.where(rows < ROLLING_LEAST, 0.0, z)


def _score(worths: Sequence[Worth], alarms: Sequence[I8]) -> float:
    raw = sum(raw_score(worth, rows) for worth, rows in zip(worths, alarms, strict=True))
    return normalised(raw, sum(worth.windows for worth in worths))


def _by_folder(
    names: Sequence[str], worths: Sequence[Worth], *alarms: Sequence[I8]
) -> dict[str, tuple[float, ...]]:
    """Scores of each folder that has a window, for each list of alarms."""
    found = {}
    for folder in sorted({name.partition("/")[0] for name in names}):
        at = [i for i, name in enumerate(names) if name.partition("/")[0] == folder]
        part = [worths[i] for i in at]
        if any(worth.windows for worth in part):
            found[folder] = tuple(_score(part, [one[i] for i in at]) for one in alarms)
    return found
