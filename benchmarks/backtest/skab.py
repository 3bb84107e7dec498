"""Several metrics of one device: the edge's detection over labelled runs of a rig.

`python -m benchmarks.backtest.skab DIR`; the last line is one JSON object. DIR holds files of the
form of the Skoltech Anomaly Benchmark, in folders or not: `;` between columns, `datetime`, a column
for each channel, and with labels `anomaly` and `changepoint`. Files without labels are free of
anomalies.

Of every file the first 400 rows train a model (`cloud.models.pca`, one configuration for all). Then
all its rows are replayed as readings of one device through `edge.detect.score.Scorer`, in order and
in batches, and a row is flagged when the frame that its readings completed scored above the
threshold. F1, the share of calm rows flagged (FAR) and of anomalous rows missed (MAR) are over the
rows after the first 400 of all labelled files together, as SKAB defines them. Of files that are
free of anomalies the alarms raised are told, with the 95 % interval of their rate by Poisson.
"""

import csv
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.backtest.skab_baselines import BASELINES, poisson_interval
from cloud.models.pca import fit
from edge.catalog import Catalog
from edge.detect import models
from edge.detect.score import Scorer
from protos.model_manifest import Manifest
from protos.model_text import parse_manifest
from protos.records import Quality, numbers
from protos.series import SeriesKind

TRAINED_ROWS = 400
BATCH_ROWS = 30
"""Rows that come together: half a minute of a device, as a batch of the agent has it."""
LABELS = ("anomaly", "changepoint")
SAMPLE_S = 1.0
GAP_S = 5.0
WEEK_S = 7 * 86_400.0

F8 = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Run:
    """One file: times in µs `(rows,)`, values `(rows, channels)`; no labels: free of anomalies."""

    name: str
    channels: tuple[str, ...]
    ts: NDArray[np.int64]
    values: F8
    anomaly: Bools | None


@dataclass
class Cost:
    """What it took, over all files."""

    seconds: float = 0.0
    windows: int = 0
    graph_bytes: int = 0
    device_bytes: int = 0


def read(path: Path, called: str = "") -> Run:
    """Read one file; ``called`` is what it is called in what is told.

    Raises:
        ValueError: it is not of the form, naming file and row.
    """
    with path.open(newline="") as file:
        head, *rows = csv.reader(file, delimiter=";")
    channels = [name for name in head if name not in ("datetime", *LABELS)]
    if "datetime" not in head or not channels:
        raise ValueError(f"{path}: no column datetime and channels beside it, but {head}")
    columns: dict[str, list[float]] = {name: [] for name in head}
    for number, row in enumerate(rows, 2):
        try:
            for name, text in zip(head, row, strict=True):
                columns[name].append(_number(name, text))
        except ValueError as error:
            raise ValueError(f"{path}, row {number}: {error}") from error
    if len(rows) <= TRAINED_ROWS:
        raise ValueError(f"{path}: {len(rows)} rows, and {TRAINED_ROWS} are for training alone")
    return Run(
        called or path.name,
        tuple(channels),
        np.array(columns["datetime"], np.int64),
        np.stack([np.array(columns[name]) for name in channels], axis=1),
        np.array(columns["anomaly"]) > 0 if "anomaly" in columns else None,
    )


def _number(name: str, text: str) -> float:
    if name != "datetime":
        return float(text) if text else float("nan")
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


def trained(run: Run) -> tuple[bytes, Manifest]:
    """The model of a file's first rows."""
    graph, said = fit(run.values[:TRAINED_ROWS])
    lines = [
        'name = "pca"', 'version = "1"', f"channels = {json.dumps(run.channels)}",
        f'sha256 = "{sha256(graph).hexdigest()}"', f"sample_s = {SAMPLE_S}", f"gap_s = {GAP_S}",
        *(f"{key} = {json.dumps(value)}" for key, value in said.items() if key != "calibration"),
        "[calibration]", *(f"{key} = {json.dumps(v)}" for key, v in said["calibration"].items()),
    ]  # fmt: skip
    return graph, parse_manifest("\n".join(lines).encode())


def replay(run: Run, cost: Cost) -> tuple[Bools, int]:
    """Which rows are flagged, and how many alarms were raised after the rows trained on."""
    graph, manifest = trained(run)
    session = models.open_session(Path(run.name), manifest, graph)
    scorer = Scorer([models.Model(manifest, session)], 1.0)
    catalog = Catalog(salt=lambda: bytes(16))
    entries = [catalog.add("rig", (name, SeriesKind.GAUGE, "", ())) for name in run.channels]
    flagged, alarms = np.zeros(len(run.ts), np.bool_), 0
    for start in range(0, len(run.ts), BATCH_ROWS):
        values = run.values[start : start + BATCH_ROWS]
        ts = np.repeat(run.ts[start : start + BATCH_ROWS], len(entries))
        who = np.tile(np.array(entries, np.uint32), len(values))
        quality = np.full(len(ts), Quality.SENSOR, np.uint8)
        batch = numbers(who, ts, values.reshape(-1), quality, ts)
        begun = time.perf_counter()
        looked = scorer.look([batch], catalog)
        cost.seconds += time.perf_counter() - begun
        for one in looked:
            cost.windows += len(one.rows)
            row = start + one.rows // len(entries)
            flagged[row[one.judged.score > one.judged.threshold]] = True
            alarms += int(one.alarm[row >= TRAINED_ROWS].sum())
    (standing,) = scorer.standings()
    if standing.failure:
        raise ValueError(f"{run.name}: {standing.failure}")
    cost.graph_bytes = max(cost.graph_bytes, len(graph))
    cost.device_bytes = max(cost.device_bytes, scorer.nbytes)
    return flagged, alarms


def judged(flagged: list[Bools], runs: list[Run]) -> dict[str, float]:
    """F1, FAR and MAR over all rows that were not trained on."""
    told = np.concatenate([flags[TRAINED_ROWS:] for flags in flagged])
    true = np.concatenate([labels(run)[TRAINED_ROWS:] for run in runs])
    hit, false, missed = (told & true).sum(), (told & ~true).sum(), (~told & true).sum()
    return {
        "f1": float(2 * hit / max(2 * hit + false + missed, 1)),
        "far": float(false / max((~true).sum(), 1)),
        "mar": float(missed / max(true.sum(), 1)),
    }


def labels(run: Run) -> Bools:
    """Which rows are anomalous."""
    return np.zeros(len(run.ts), np.bool_) if run.anomaly is None else run.anomaly


def free(run: Run, cost: Cost) -> dict[str, Any]:
    """The alarms on a file without anomalies, and the 95 % interval of their rate."""
    flagged, alarms = replay(run, cost)
    weeks = float(run.ts[-1] - run.ts[TRAINED_ROWS]) / 1e6 / WEEK_S
    return {
        "file": run.name,
        "hours": round(weeks * 168, 2),
        "alarms": alarms,
        "alarms_per_week": round(alarms / weeks, 1),
        "interval_95": [round(count / weeks, 1) for count in poisson_interval(alarms)],
        "flagged_share": float(flagged[TRAINED_ROWS:].mean()),
        "flagged_share_at_first": float(flagged[TRAINED_ROWS : 3 * TRAINED_ROWS].mean()),
    }


def files(folder: Path) -> Iterator[Path]:
    """The files of a folder and of those within it.

    Raises:
        ValueError: there are none.
    """
    found = sorted(folder.rglob("*.csv"))
    if not found:
        raise ValueError(f"{folder}: no file NAME.csv there; see the head of this module")
    yield from found


def run(folder: Path) -> dict[str, Any]:
    """Every figure; see the module's own words.

    Raises:
        ValueError: a file is not of the form.
    """
    runs = [read(path, str(path.relative_to(folder))) for path in files(folder)]
    labelled = [one for one in runs if one.anomaly is not None]
    cost, told = Cost(), {}
    if labelled:
        flagged = [replay(one, cost)[0] for one in labelled]
        told = judged(flagged, labelled)
        for name, flag in BASELINES.items():
            of = judged([flag(one.values, TRAINED_ROWS) for one in labelled], labelled)
            told |= {f"{name}_{key}": of[key] for key in ("f1", "far")}
        told["by_file"] = {
            one.name: judged([flags], [one]) for one, flags in zip(labelled, flagged, strict=True)
        }
    clean = [free(one, cost) for one in runs if one.anomaly is None]
    return {
        **told,
        "free": clean,
        "files": len(runs),
        "us_per_window": round(cost.seconds / max(cost.windows, 1) * 1e6, 2),
        "device_bytes": cost.device_bytes,
        "graph_bytes": cost.graph_bytes,
    }


def main(folder: Path) -> dict[str, Any]:
    """Run and print for people; returns what run gives."""
    told = run(folder)
    names = ["", *(f"{name}_" for name in BASELINES)] if "f1" in told else []
    for name in names:
        shown = name.rstrip("_").replace("_", " ") or "T² and Q as shipped"
        print(f"{shown:24} F1 {told[name + 'f1']:.3f}  FAR {told[name + 'far']:.3f}")
    for one in told["free"]:
        low, high = one["interval_95"]
        print(
            f"{one['file']}: {one['alarms']} alarms in {one['hours']} h without anomalies, "
            f"{one['alarms_per_week']} a week ({low} to {high}), "
            f"{one['flagged_share']:.1%} of rows flagged, "
            f"{one['flagged_share_at_first']:.1%} of those the model was made to hold for"
        )
    print(
        f"{told['us_per_window']} µs a window, {told['device_bytes']} bytes a device, "
        f"graph {told['graph_bytes']} bytes"
    )
    return told


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.backtest.skab DIR")
    try:
        print(json.dumps({"skab": main(Path(sys.argv[1]))}))
    except (OSError, ValueError) as problem:
        sys.exit(str(problem))
