"""`tidegate-cloud model pack` and `keygen`: a foreign file in, a signed package out."""

import json
from base64 import b64decode
from pathlib import Path

import pytest

from cloud.cli import console
from protos.model import CalibrationKind, read_package, verify
from protos.model_key import read_public

Capture = pytest.CaptureFixture[str]
TORCH = Path(__file__).parents[1] / "models" / "exports" / "torch.json"


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), "model", *arguments])


@pytest.fixture
def home(tmp_path: Path, capsys: Capture) -> Path:
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    capsys.readouterr()
    return tmp_path / "cloud"


@pytest.fixture
def exported(tmp_path: Path) -> str:
    path = tmp_path / "autoencoder.onnx"
    path.write_bytes(b64decode(json.loads(TORCH.read_text())["torch-scripted"]))
    return str(path)


def test_the_clouds_key_is_made_once_and_told(home: Path, capsys: Capture) -> None:
    assert call(home, "keygen", "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert call(home, "keygen", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert (first["made"], again["made"]) == (True, False)
    assert first["public"] == again["public"]
    assert (home / "model.key").stat().st_mode & 0o777 == 0o600
    assert call(home, "keygen") == 0
    assert first["public"] in capsys.readouterr().out


def test_a_foreign_model_is_packed_signed_and_kept_on_the_shelf(
    home: Path, exported: str, capsys: Capture
) -> None:
    assert call(home, "keygen", "--json") == 0
    public = read_public(json.loads(capsys.readouterr().out)["public"])
    arguments = ["--device", "pump-*", "--unit", "bar", "--threshold", "0.5", "--about", "a wave"]
    assert call(home, "pack", exported, "--name", "wave", *arguments, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["label"], told["window"]) == ("wave@1", 16)
    package = read_package(Path(told["file"]).read_bytes())
    assert verify(package, [public]) == told["key"]
    assert package.manifest.applies.device == ("pump-*",)
    assert package.manifest.calibration.kind is CalibrationKind.FIXED
    assert package.manifest.calibration.threshold == 0.5
    assert call(home, "pack", exported, "--name", "wave") == 0
    assert "wave@2" in capsys.readouterr().out
    assert call(home, "list") == 0
    assert "wave" in capsys.readouterr().out


def test_a_package_may_go_into_a_file_instead(
    home: Path, exported: str, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "wave-3.tgm"
    arguments = ["pack", exported, "--name", "wave", "--version", "3", "--out", str(out)]
    assert call(home, *arguments) == 0
    assert read_package(out.read_bytes()).manifest.label == "wave@3"
    assert call(home, *arguments) == 2
    assert "file exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--name", "No Name"], "name ="),
        (["--name", "wave", "--window", "9"], "has the shape [-1, 16]"),
        (["--name", "wave", "--output", "other"], "has no output 'other'"),
        (["--name", "wave", "--key", "nothing.key"], "no such file"),
        (["--name", "wave", "--out", "wave.zip"], "does not end in .tgm"),
    ],
)
def test_what_cannot_be_packed_is_refused_by_name(
    home: Path, exported: str, more: list[str], said: str, capsys: Capture
) -> None:
    assert call(home, "pack", exported, *more) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(home: Path, capsys: Capture) -> None:
    assert call(home, "pack", "nothing.onnx", "--name", "wave") == 2
    assert "no such file" in capsys.readouterr().err
