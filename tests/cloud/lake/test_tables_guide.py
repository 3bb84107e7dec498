"""The guide's snippets that open the tables: each is run as it stands, beside the API's answer."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloud.rollup.partials import HOUR_US
from tests.cloud.lake_world import T0
from tests.cloud.serve.joined_world import follow, history, ids, replaced, send, two_sensors
from tests.cloud.serve_world import World

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "guide" / "tables.md"
LARGE = ROOT / ".servers" / "history"
"""Where `make engines` installs ClickHouse, which brings pandas."""
OURS = {"polars": "means.rows()", "DuckDB": "means.fetchall()"}
OTHERS = {
    "pandas": "means.items()",
    "ClickHouse": "(row.rsplit(',', 1) for row in str(means).splitlines())",
}
BY_HAND = ("Spark",)


def snippet(title: str) -> str:
    """The Python under a heading of the page."""
    section = f"{PAGE.read_text()}\n## ".partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None, title
    return found[1]


def run(title: str, folder: Path) -> dict[str, Any]:
    """What is defined once a snippet was run."""
    names: dict[str, Any] = {"LAKE": str(folder / "lake")}
    exec(compile(snippet(title), PAGE.name, "exec"), names)
    return names


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`pump` in three hours, in passes of which two have some of each hour; all in the tables."""
    monkeypatch.chdir(tmp_path)
    world = two_sensors(tmp_path)
    for first in (0, 1):
        send(world, "pump", "°C", range(first, 150, 2), float, score=False)
        while world.consolidator.run_once().more:
            pass
    follow(world)
    yield world
    world.close()


def due(world: World) -> list[float]:
    """The API's means by hour of what the snippets ask for."""
    span = f"from={T0}&to={T0 + 3 * HOUR_US}&bucket=1h&columns=mean"
    (told,) = world.get(f"/api/v1/history?series={world.id('pump')}&{span}")["series"]
    assert len(told["mean"]) == 3
    return [float(mean) for mean in told["mean"]]


def test_the_page_has_a_snippet_of_every_engine_it_names() -> None:
    titles = re.findall(r"^## (.*)$", PAGE.read_text(), re.MULTILINE)
    assert titles == [*OURS, *OTHERS, *BY_HAND, "Series that operations joined"]
    assert all(map(snippet, titles))


@pytest.mark.parametrize("title", OURS)
def test_an_engine_finds_the_means_that_the_api_tells(world, tmp_path, title) -> None:
    rows = eval(OURS[title], run(title, tmp_path))
    assert [mean for _, mean in rows] == due(world)


@pytest.fixture
def others() -> Path:
    """The folder of engines that are no dependency; without it a test is skipped, under CI not."""
    if not LARGE.is_dir():
        missing = f"there is no {LARGE}: make engines"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return LARGE


@pytest.mark.parametrize("title", OTHERS)
def test_an_engine_that_is_no_dependency_finds_them_too(world, others, tmp_path, title) -> None:
    ended = f"print(*(mean for _, mean in {OTHERS[title]}))"
    code = f"LAKE = {str(tmp_path / 'lake')!r}\n{snippet(title)}\n{ended}\n"
    path = {"PYTHONPATH": f"{others}{os.pathsep}{ROOT}"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | path, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert [float(mean) for mean in told.stdout.split()] == due(world)


def test_segments_join_the_tables_to_what_the_api_shows(world, tmp_path) -> None:
    old, _ = ids(world)
    replaced(world)
    answer = world.client.get(f"/api/v1/segments?series={old}&format=parquet")
    (tmp_path / "segments.parquet").write_bytes(answer.content)
    rows = run("Series that operations joined", tmp_path)["joined"].fetchall()
    (told,) = history(world, old)["series"]
    assert [series for series, *_ in rows] == [old] * len(told["t"])
    assert [round(ts.timestamp() * 1_000_000) for _, ts, _ in rows] == told["t"]
    assert [value for *_, value in rows] == pytest.approx(told["v"])
