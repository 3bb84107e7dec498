"""The page's benchmark runs, names its baseline, and ends in one object; no figure is judged."""

import json
from pathlib import Path

import pytest

from benchmarks import page

pytestmark = pytest.mark.browser


def test_the_pages_benchmark_moves_as_many_points_as_it_says(built: Path, chromium: Path) -> None:
    told = json.loads(json.dumps(page.main(["--readings", "20000", "--seconds", "1"])))
    assert told["every_reading_points"] == pytest.approx(20_000, rel=0.02)
    assert 0 < told["buckets_points"] < 2_000
    assert told["still_ms"]["windows"] == 1
    for name in ("buckets_ms", "every_reading_ms"):
        assert told[name]["windows"] > told[name]["frames"] / 2, "it moved with the frames"
    for name in ("still_ms", "buckets_ms", "every_reading_ms"):
        assert told[name]["frames"] > 3, name
        assert 0 < told[name]["p50"] <= told[name]["p95"] <= told[name]["max"], name


def test_more_readings_than_there_are_cannot_be_asked_for() -> None:
    with pytest.raises(SystemExit):
        page.main(["--readings", "1000000"])
