"""`tidegate-cloud ledger` and `verify` as an operator types them, without a running cloud."""

import json
from pathlib import Path

import pytest

from cloud.cli import console
from tests.cloud.verify_world import Home

Capture = pytest.CaptureFixture[str]


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


@pytest.fixture
def place(tmp_path: Path, capsys: Capture):
    root = tmp_path / "cloud"
    assert call(root, "init") == 0
    (root / "cloud.toml").write_text('[listen]\nhttp = "127.0.0.1:1"\n')
    capsys.readouterr()
    return root


@pytest.fixture
def home(place: Path):
    made = Home(place)
    yield made
    made.stop()


def test_verify_says_in_one_line_whether_history_is_whole(home, place, capsys):
    home.send("gw")
    home.drain()
    assert call(place, "verify") == 0
    assert capsys.readouterr().out.startswith("history is whole: 5 readings in the lake = 5")
    Path(home.batch().tables["readings"].paths()[0]).unlink()
    assert call(place, "verify", "--json") == 5
    told = json.loads(capsys.readouterr().out)
    assert told["whole"] is False
    assert told["line"].startswith("history is NOT whole: the lake's file")


def test_verify_of_a_home_without_a_journal_ends_with_storage(place, capsys):
    assert call(place, "verify") == 5
    assert "there is none" in capsys.readouterr().err


def test_the_ledger_is_read_from_the_files_when_no_cloud_runs(home, place, capsys):
    home.send("gw", 5, lost=40)
    home.poison("gw", 7)
    home.drain()
    home.send("other", 1)
    assert call(place, "ledger") == 0
    told = capsys.readouterr().out
    assert "gw  epoch 1: 2 blocks expected, 2 stored, 2 archived" in told
    assert "12 readings, 12 archived, 5 in the lake" in told
    assert "quarantined: 1 blocks, 7 readings (" in told
    assert "gaps, evicted: 40 readings in 1" in told
    assert call(place, "ledger", "other", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["gateway"], row["stored"], row["archived"], row["in_lake"]) == ("other", 1, 0, 0)


def test_the_ledger_of_an_unknown_gateway_is_the_operators_error(home, place, capsys):
    assert call(place, "ledger", "nobody") == 2
    assert "it never sent a block" in capsys.readouterr().err
    home.send("hall")
    assert call(place, "ledger", "hal") == 2
    assert "did you mean hall?" in capsys.readouterr().err
