"""The benchmark over labelled runs: its figures by hand, causal, and wrong files named."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks.backtest import skab
from benchmarks.backtest.skab_baselines import poisson_interval

HEAD = "datetime;flow;current;anomaly;changepoint"
START = datetime(2024, 5, 1, tzinfo=UTC)


def write(
    path: Path, rows: int, fault: slice = slice(0), seed: int = 1, *, free: bool = False
) -> None:
    """A rig whose flow falls in ``fault``; every twentieth second is missing."""
    values = np.random.default_rng(seed).normal([30.0, 1.0], [0.5, 0.1], (rows, 2))
    values[fault, 0] -= 3
    truth = np.zeros(rows, np.int64)
    truth[fault] = 1
    lines = [HEAD if not free else HEAD.removesuffix(";anomaly;changepoint")]
    for row in range(rows):
        at = (START + timedelta(seconds=row + row // 20)).strftime("%Y-%m-%d %H:%M:%S")
        told = f"{at};{values[row, 0]:.4f};{values[row, 1]:.4f}"
        lines.append(told if free else f"{told};{truth[row]}.0;0.0")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def test_a_folder_of_runs_is_measured_beside_what_knows_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "valve" / "0.csv", 800, slice(500, 650))
    write(tmp_path / "valve" / "1.csv", 700, slice(550, 700), seed=2)
    write(tmp_path / "calm.csv", 900, seed=3, free=True)
    told = json.loads(json.dumps(skab.main(tmp_path)))
    assert told["files"] == 3
    assert told["f1"] > 0.9
    assert told["far"] < 0.1
    share = 300 / 700
    assert told["flag_all_f1"] == pytest.approx(2 * share / (1 + share))
    assert told["flag_all_far"] == 1.0
    assert told["f1"] > max(told["random_f1"], told["rolling_z_f1"], told["flag_all_f1"])
    (free,) = told["free"]
    assert (free["file"], free["alarms"]) == ("calm.csv", 0)
    assert free["interval_95"][0] == 0
    assert 0.1 < free["hours"] < 0.2
    assert told["us_per_window"] > 0
    assert told["device_bytes"] > 0
    assert "calm.csv: 0 alarms in 0.15 h" in capsys.readouterr().out


def test_what_comes_later_changes_no_flag(tmp_path: Path) -> None:
    write(tmp_path / "whole.csv", 700, slice(500, 600))
    lines = (tmp_path / "whole.csv").read_text().splitlines()
    (tmp_path / "cut.csv").write_text("\n".join(lines[:561]) + "\n")
    whole, _ = skab.replay(skab.read(tmp_path / "whole.csv"), skab.Cost())
    cut, _ = skab.replay(skab.read(tmp_path / "cut.csv"), skab.Cost())
    # The last frame of all may wait for what comes next.
    assert cut[:-1].tolist() == whole[:559].tolist()
    assert cut.any()


def test_figures_count_the_rows_that_were_not_trained_on() -> None:
    rows = skab.TRAINED_ROWS + 4
    truth = np.zeros(rows, np.bool_)
    truth[[-4, -3]] = True
    run = skab.Run("x", ("a",), np.arange(rows), np.zeros((rows, 1)), truth)
    flags = np.ones(rows, np.bool_)
    flags[[-3, -1]] = False
    assert skab.judged([flags], [run]) == {"f1": 0.5, "far": 0.5, "mar": 0.5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time;a\n1;2\n", "no column datetime"),
        (HEAD + "\n2024-05-01 00:00:00;1;x;0;0\n", "bad.csv, row 2: could not convert"),
        (HEAD + "\n2024-05-01 00:00:00;1;2\n", "bad.csv, row 2: zip"),
        (HEAD + "\nyesterday;1;2;0;0\n", "bad.csv, row 2: Invalid isoformat"),
        (HEAD + "\n2024-05-01 00:00:00;1;2;0;0\n", "1 rows, and 400 are for training"),
    ],
)
def test_a_file_of_another_form_is_refused_with_its_name_and_row(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ValueError, match=told):
        skab.run(tmp_path)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file"):
        skab.run(tmp_path)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (4, 1.090, 10.242), (50, 37.11, 65.92)],
)
def test_the_interval_of_a_count_is_that_of_the_tables(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == pytest.approx((low, high), rel=2e-3, abs=1e-6)
