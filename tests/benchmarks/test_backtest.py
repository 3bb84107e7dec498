"""The backtest over a folder: what it prints, what it refuses, and that it knows no file."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks.backtest import __main__ as backtest
from benchmarks.backtest import folder as folders
from benchmarks.backtest import nab
from benchmarks.backtest.pipeline import replay
from edge.detect import models
from edge.detect.shipped.build import build

ROWS, STEP_US = 3000, 300_000_000
FAULT = (2000, 2010)
START = datetime(2026, 1, 1, tzinfo=UTC)


def stamp(row: int) -> str:
    return (START + timedelta(minutes=5 * row)).strftime("%Y-%m-%d %H:%M:%S.%f")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> list[models.Model]:
    place = tmp_path_factory.mktemp("models")
    build(place)
    return models.load_folder(place)[0]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two noisy daily series, one of which has a fault in its labelled window."""
    place = tmp_path_factory.mktemp("set")
    (place / "some").mkdir()
    for name, faults in (("calm", ()), ("faulty", FAULT)):
        chance = np.random.default_rng(3)
        day = np.sin(np.arange(ROWS) * 2 * np.pi / 288)
        values = 20 + day + chance.normal(0, 0.1, ROWS)
        values[slice(*faults) if faults else slice(0)] += 6
        lines = [f"{stamp(row)[:19]},{value}" for row, value in enumerate(values.tolist())]
        (place / "some" / f"{name}.csv").write_text("\n".join(["timestamp,value", *lines]))
    windows = {"some/calm.csv": [], "some/faulty.csv": [[stamp(1950), stamp(2050)]]}
    (place / "windows.json").write_text(json.dumps(windows))
    return place


def test_the_fault_is_found_and_ours_stands_above_every_baseline(
    places: Path, shipped: list[models.Model]
) -> None:
    found = nab.compare(places, shipped)
    assert found.swept.score > 60
    assert found.swept.score > max(found.random.score, found.flag_all)
    assert found.standard > 0
    assert found.flag_all < 0
    assert any(FAULT[0] <= row < FAULT[1] for row in found.run.series[1].alarms.tolist())
    assert set(found.by_folder) == {"some"}
    assert sum(found.run.scored.values()) > 5000


def test_what_a_file_is_called_and_where_it_stands_changes_no_score(
    places: Path, shipped: list[models.Model]
) -> None:
    calm, faulty = folders.read(places)
    times, values = [calm.ts, faulty.ts], [calm.value, faulty.value]
    here, there = replay(shipped, 1, times, values), replay(shipped, 1, times[::-1], values[::-1])
    for one, other in zip(here.series, there.series[::-1], strict=True):
        assert np.array_equal(one.rarity, other.rarity)
        assert np.array_equal(one.alarms, other.alarms)


def test_no_reading_is_judged_by_one_that_comes_later(
    places: Path, shipped: list[models.Model]
) -> None:
    _, faulty = folders.read(places)
    whole = replay(shipped, 1, [faulty.ts], [faulty.value]).series[0]
    part = replay(shipped, 1, [faulty.ts[:2005]], [faulty.value[:2005]]).series[0]
    assert np.array_equal(part.rarity, whole.rarity[:2005])
    assert np.array_equal(part.alarms, whole.alarms[whole.alarms < 2005])


def test_a_set_must_be_named_and_its_source_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        backtest.main([])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "give --nab DIR" in said
    assert "github.com/numenta/NAB" in said


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda at: at / "nowhere", "is no folder"),
        (lambda at: (at / "windows.json").unlink(), "has no windows.json"),
        (lambda at: (at / "windows.json").write_text("{"), "cannot be read as JSON"),
        (lambda at: (at / "windows.json").write_text('{"a/b.csv": []}'), "names a/b.csv, which"),
        (
            lambda at: (at / "windows.json").write_text('{"some/calm.csv": [["x", "y"]]}'),
            "not a list of",
        ),
        (
            lambda at: (at / "windows.json").write_text('{"some/calm.csv": []}'),
            "no labelled window",
        ),
        (
            lambda at: (at / "some" / "calm.csv").write_text("timestamp,value\n2026-01-01,x\n"),
            "calm.csv, line 2",
        ),
        (lambda at: (at / "some" / "calm.csv").write_text("t,v\n"), "not with timestamp,value"),
        (lambda at: (at / "some" / "calm.csv").write_text("timestamp,value\n"), "has 0 rows"),
    ],
)  # fmt: skip
def test_a_folder_of_another_form_is_refused_with_the_file_and_the_cause(
    places: Path, tmp_path: Path, spoil: object, said: str, shipped: list[models.Model]
) -> None:
    shutil.copytree(places, tmp_path, dirs_exist_ok=True)
    assert callable(spoil)
    place = spoil(tmp_path)
    with pytest.raises(folders.FolderError, match=said):
        nab.compare(place if isinstance(place, Path) else tmp_path, shipped)
