"""`python -m benchmarks.backtest --nab DIR [--skab DIR]`: detection over labelled sets.

Each set is a folder of the form its makers gave it; none comes with this project. It prints ours
beside baselines, what a window costs by model, and ends with one JSON line.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.backtest.nab import RATE, Compared, compare
from benchmarks.scoring import Cost, cost_of
from edge.detect.models import SHIPPED, Model, load_folder

WHENCE: Final = """\
the sets:
  NAB   the Numenta Anomaly Benchmark, github.com/numenta/NAB: its folder with `data` and
        `labels/combined_windows.json`, or a folder of such series with a `windows.json`
  SKAB  the Skoltech Anomaly Benchmark, github.com/waico/SKAB: its folder `data`, with one folder
        for each kind of run
"""
SKAB: Final = "benchmarks.backtest.skab"


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run what is asked for and print it; returns what the last line says.

    Raises:
        SystemExit: with 2 for arguments, folders or models that cannot be used.
    """
    parser = argparse.ArgumentParser(
        "python -m benchmarks.backtest", epilog=WHENCE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--nab", type=Path, metavar="DIR", help="a folder of NAB's form")
    parser.add_argument("--skab", type=Path, metavar="DIR", help="a folder of SKAB's form")
    asked = parser.parse_args(arguments)
    if asked.nab is None and asked.skab is None:
        parser.error(f"no set is named: give --nab DIR, --skab DIR or both\n\n{WHENCE}")
    told: dict[str, Any] = {}
    try:
        if asked.nab is not None:
            models = _models(parser)
            found = compare(asked.nab, models)
            costs = {model.manifest.label: cost_of(model) for model in models}
            _print(found, costs)
            told["nab"] = _line(found)
        if asked.skab is not None:
            told["skab"] = _skab(parser)(asked.skab)
    except ValueError as error:
        parser.error(str(error))
    print(json.dumps(told))
    return told


def _models(parser: argparse.ArgumentParser) -> list[Model]:
    models, refusals = load_folder(SHIPPED)
    for refusal in refusals:
        parser.error(str(refusal))
    if not models:
        parser.error("the shipped models are not built: `make models` builds them")
    return models


def _skab(parser: argparse.ArgumentParser) -> Callable[[Path], dict[str, Any]]:
    if importlib.util.find_spec(SKAB) is None:
        parser.error("this version has no backtest over SKAB")
    run: Callable[[Path], dict[str, Any]] = importlib.import_module(SKAB).run
    return run


def _line(found: Compared) -> dict[str, float]:
    return {
        "standard": found.standard,
        "standard_swept": found.swept.score,
        "flag_all": found.flag_all,
        "random": found.random.score,
        "rolling_z": found.rolling_z.score,
    }


def _print(found: Compared, costs: dict[str, Cost]) -> None:
    windows = sum(found.run.scored.values())
    rows = [
        (f"ours at the shipped {RATE:g} alarm a series and week", found.standard, found.alarms),
        ("ours at the best single threshold", found.swept.score, found.swept.alarms),
        ("rolling z-score at its best threshold", found.rolling_z.score, found.rolling_z.alarms),
        ("random at its best threshold", found.random.score, found.random.alarms),
    ]
    print(f"NAB, standard profile, {len(found.run.series)} series over {found.weeks:.0f} weeks")
    for name, score, alarms in rows:
        print(f"  {name:46} {score:8.1f} {alarms:6} alarms")
    print(f"  {'an alarm at every row':46} {found.flag_all:8.1f}")
    print(f"  best threshold: once in {10**found.swept.threshold:.0f} readings")
    for folder, (standard, swept) in found.by_folder.items():
        print(f"  {folder:46} {standard:8.1f} shipped {swept:8.1f} best")
    print(
        f"  {found.run.seconds / max(windows, 1) * 1e6:.1f} µs a window in all, {windows} windows"
    )
    for label, cost in costs.items():
        share = found.run.scored.get(label, 0)
        print(
            f"  {label:16} {share:8} windows here; alone {cost.us_per_window:.2f} µs a window, "
            f"{cost.mb:.1f} MB more than an edge without models, "
            f"{cost.bytes_per_series} bytes a series"
        )


if __name__ == "__main__":
    import importlib

    main(sys.argv[1:])
