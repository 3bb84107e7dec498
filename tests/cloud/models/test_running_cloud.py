"""Training and backtest against a cloud in a process of its own, over its socket."""

import json
from pathlib import Path

import pytest

from cloud.client.history import HistoryApi
from tests.cloud.imports.import_home import call, new_home, serving
from tests.cloud.imports.import_world import write
from tests.cloud.models.history_world import daily
from tests.cloud.roles.role_world import wait_for

READINGS = 3000
T = 1_700_000_000


def readings_of(api: HistoryApi) -> int:
    """Readings that the cloud shows."""
    return sum(row["readings"] for row in api._series({"limit": 10}))


def test_a_model_is_trained_and_tried_on_a_cloud_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = new_home(tmp_path / "cloud")
    rows = (f"{T + 60 * at},{value!r}\n" for at, value in enumerate(daily(READINGS, 1).tolist()))
    past = write(tmp_path / "past.csv", f"time,pump\n{''.join(rows)}")
    with serving(home) as api:
        assert call(home, "import", str(past)) == 0
        wait_for(lambda: readings_of(api) == READINGS)
        capsys.readouterr()
        assert call(home, "model", "train", "normal", "--json") == 0
        made = json.loads(capsys.readouterr().out)
        assert (made["rows"], made["figures"]["season"]) == (READINGS, 96)
        report = tmp_path / "report.html"
        assert call(home, "model", "backtest", "normal", "--report", str(report), "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["readings"], told["models"][0]["occurrences"]) == (READINGS, 0)
        assert "<svg" in report.read_text()
    assert call(home, "model", "train", "normal") == 3
    assert "is `tidegate-cloud serve` running?" in capsys.readouterr().err
    assert call(home, "model", "show", "normal") == 0
