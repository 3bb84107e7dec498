"""`watch list` and `watch test`: rules in words, and over a recording; the guide's own examples."""

import json
import re
from pathlib import Path

import pytest

from edge.cli import console
from edge.config import load

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "watch.md"
HEAD = '[gateway]\nname = "hut"\n'


def blocks(kind: str) -> list[str]:
    """The guide's fenced blocks of one kind."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return [text for of, text in found if of == kind]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "edge.toml").write_text(HEAD + "".join(blocks("toml")))
    return tmp_path


def called(home: Path, *words: str) -> int:
    return console().call(["--home", str(home), *words])


def test_the_guides_settings_can_be_used_and_are_told_in_words(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(home, "config", "check") == 0
    capsys.readouterr()
    assert called(home, "watch", "list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "boiler-hot: boiler-*/temperature in °C above 80, until it is 5 on the good side; "
        "gives the command shut-valve",
        "pressure-falls: */pressure falls by more than 0.5 a minute, taken over 120 s",
        "sensor-silent: a device of greenhouse/*/* silent for longer than 60 s and 5 times its "
        "cadence",
        "probe-stuck: */level stuck at a value for longer than 3600 s",
    ]
    assert called(home, "watch", "list", "--json") == 0
    told = json.loads(capsys.readouterr().out)["watches"]
    assert [one["name"] for one in told] == list(load(home).settings.watch)
    assert told[0]["standing"] is None


def test_the_guides_recording_gives_what_the_guide_says(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (home / "edge.toml").read_text()
    text = re.sub(r"^(device|unit) = .*\n", "", text, flags=re.MULTILINE)
    (home / "edge.toml").write_text(text)
    (recording,), (expected,) = blocks("csv"), blocks("")
    (home / "recorded.csv").write_text(recording)
    words = ["watch", "test", str(home / "recorded.csv"), "boiler-hot", "pressure-falls"]
    assert called(home, *words) == 0
    assert capsys.readouterr().out == expected
    assert called(home, *words, "--json") == 0
    *turned, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [(one["watch"], one["open"]) for one in turned] == [
        ("boiler-hot", True), ("boiler-hot", False),
        ("pressure-falls", True), ("pressure-falls", False),
    ]  # fmt: skip
    assert [one["found"] for one in last["watches"]] == [1, 1]


def test_a_silence_within_a_recording_is_found_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = '[watch.quiet]\nwhen = "silent"\nlimit = 60.0\n'
    (tmp_path / "edge.toml").write_text(HEAD + watch)
    rows = [f"2026-01-05T10:{minute:02}:00Z,1" for minute in (0, 1, 2, 30, 31, 30, 31, 32)]
    (tmp_path / "pump.csv").write_text("\n".join(["time,flow", *rows]) + "\n")
    assert called(tmp_path, "watch", "test", str(tmp_path / "pump.csv")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in lines[:2]] == [["open", "quiet"], ["close", "quiet"]]
    assert lines[0].startswith("2026-01-05T10:03:0"), "a minute and a moment after the last"
    assert lines[2] == "quiet: 1 found in 8 readings judged, of 1 series or devices"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["boiler-hat"], 'did you mean "boiler-hot"?'),
        (["--topic", "a/#"], "no topic"),
    ],
)
def test_what_cannot_be_tried_is_told_with_the_way_out(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (home / "recorded.csv").write_text(blocks("csv")[0])
    assert called(home, "watch", "test", str(home / "recorded.csv"), *words) == 2
    assert said in capsys.readouterr().err
    assert called(home, "watch", "test", str(home / "nothing.csv")) == 2
    assert "nothing.csv" in capsys.readouterr().err


def test_a_home_without_a_rule_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "edge.toml").write_text(HEAD)
    assert called(tmp_path, "watch", "list") == 0
    assert "[watch.NAME]" in capsys.readouterr().out
    (tmp_path / "recorded.csv").write_text(blocks("csv")[0])
    assert called(tmp_path, "watch", "test", str(tmp_path / "recorded.csv")) == 2
    assert "[watch.NAME]" in capsys.readouterr().err
