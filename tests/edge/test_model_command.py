"""`tidegate-edge model`: what is there, what it holds, and whether it would be taken."""

import json
from pathlib import Path

import pytest

from edge.cli import console
from edge.detect.models import SHIPPED
from edge.detect.shipped.build import build
from protos.model import write_package
from protos.model_key import make_key, public_line, public_of
from tests.edge.detect.graphs import MANIFEST, not_a_number, spread

KEY, OTHER = make_key(), make_key()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    key = public_line(public_of(KEY))
    text = f'[gateway]\nname = "g"\n[models]\nkeys = ["{key}"]\nwindow_us_max = 50000\n'
    (home / "edge.toml").write_text(text)
    return home


def put(home: Path, key: object = KEY, name: str = "tried-1.tgm", good: bool = True) -> Path:
    proto = spread() if good else not_a_number()
    path = home / "models" / name
    path.write_bytes(write_package(MANIFEST, proto.SerializeToString(), key))  # type: ignore[arg-type]
    return path


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), "model", *arguments])


def test_models_are_listed_with_who_signed_them_and_whether_that_is_trusted(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(home)
    put(home, OTHER, "other-1.tgm")
    (home / "models" / "broken-1.tgm").write_bytes(b"PK")
    assert call(home, "list", "--json") == 0
    told = {Path(one["file"]).name: one for one in json.loads(capsys.readouterr().out)}
    assert told["tried-1.tgm"]["trusted"] is True
    assert told["other-1.tgm"]["trusted"] is False
    assert "zip" in told["broken-1.tgm"]["problem"]
    assert call(home, "list") == 0
    lines = capsys.readouterr().out
    assert "NOT TRUSTED" in lines
    assert "REFUSED" in lines


def test_without_models_of_its_own_the_shipped_ones_are_listed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not any(SHIPPED.glob("*.toml")):
        build()
    assert call(home, "list") == 0
    assert "came with Tidegate" in capsys.readouterr().out


def test_a_model_is_shown_with_its_manifest_graph_and_signer(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(home)
    for named in ("tried", "tried@1", str(path)):
        assert call(home, "show", named, "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert told["manifest"]["window"] == MANIFEST.window
        assert told["graph"]["operators"] == ["ReduceMax", "ReduceMin", "Sub"]
        assert told["graph"]["opsets"] == {"ai.onnx": 17}
        assert told["signer"] == public_line(public_of(KEY))
    assert call(home, "show", "tried") == 0
    assert 'name = "tried"' in capsys.readouterr().out


def test_a_good_model_is_taken_and_told_with_its_time_and_memory(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(home)
    assert call(home, "check", "tried", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["taken"] is True
    assert told["window_us"] > 0
    assert call(home, "check", "tried") == 0
    assert "tried@1 is taken" in capsys.readouterr().out


def test_a_model_of_a_foreign_key_is_refused_unless_that_key_is_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(put(home, OTHER))
    assert call(home, "check", path) == 2
    assert "is not trusted here" in capsys.readouterr().err
    assert call(home, "check", path, "--key", public_line(public_of(OTHER))) == 0
    assert call(home, "check", path, "--key", "hello") == 2


def test_a_model_that_gives_no_number_is_refused_with_the_reason(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(put(home, good=False))
    assert call(home, "check", path, "--json") == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["taken"] is False
    assert "no numbers" in err


def test_a_shipped_model_is_taken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not any(SHIPPED.glob("*.toml")):
        build()
    assert call(home, "check", "residual") == 0
    assert "came with Tidegate" in capsys.readouterr().out


def test_a_model_that_is_not_there_is_told_with_those_that_are(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(home)
    assert call(home, "show", "trid") == 2
    assert "tried@1" in capsys.readouterr().err
    assert call(home, "check", "nothing.tgm") == 2
    assert "No such file" in capsys.readouterr().err
