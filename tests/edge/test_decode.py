"""`decode`, and what `tap` says with it: how a message is read, with the operator's rules."""

import json
from pathlib import Path

import pytest

from edge.cli import console
from edge.config import RULES_NAME, load
from edge.explain import Explainer, lines

RULES = """
time_zone = "Europe/Berlin"

[[topic]]
template = "site/{hall}/{device}/{metric}"
units = { temp = "°C" }

[[topic]]
template = "secret/#"
ignore = true
"""


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert call(tmp_path / "edge", "init", "--name", "pump-1") == 0
    capsys.readouterr()
    return tmp_path / "edge"


def test_a_message_is_explained_without_a_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path / "none", "decode", "zigbee2mqtt/hall", '{"temperature":21.5}') == 0
    told = capsys.readouterr().out
    assert "hall · temperature = 21.5 °C  (gauge, on arrival)  [zigbee2mqtt]" in told


def test_a_message_is_explained_to_a_machine(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(home, "decode", "--json", "--hex", "a/b", "7b2274223a317d") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "topic": "a/b",
        "outcome": "read",
        "convention": "json",
        "readings": [{"device": "a/b", "metric": "t", "value": 1.0, "kind": "gauge"}],
    }


def test_hexadecimal_that_is_none_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(home, "decode", "--hex", "a/b", "zz") == 2
    assert "is it hexadecimal?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["a/#", "1"], "+ and # stand in filters alone"),
        (["a/+/b", "1"], "+ and # stand in filters alone"),
        (["", "1"], "it is empty"),
        (["a\0b", "1"], "it holds NUL"),
        (["a" * 65536, "1"], "longer than 65535 bytes"),
        (["a", "1", "--file", __file__], "give one"),
        (["a", "--file", "/proc/self/mem"], "check who may read it"),
    ],
)
def test_what_is_no_message_is_told_before_it_is_read(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert call(home, "decode", *words) == 2
    assert why in capsys.readouterr().err


def test_a_payload_comes_from_a_file_too(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "payload"
    path.write_bytes(b"\x81\xa1\x02\x01")
    assert call(home, "decode", "a/b", "--file", str(path)) == 0
    assert "a/b · value = 1  (gauge, on arrival)  [senml]" in capsys.readouterr().out


def test_the_operators_rules_are_followed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / RULES_NAME).write_text(RULES)
    assert call(home, "decode", "site/north/pump/temp", "21.5") == 0
    assert "pump · temp hall=north = 21.5 °C" in capsys.readouterr().out
    assert call(home, "decode", "secret/a", "1") == 0
    assert "ignored: left out by a rule of the operator's" in capsys.readouterr().out
    assert call(home, "decode", "a/b", '{"time":"2023-11-14T23:13:20","t":1}') == 0
    assert "2023-11-14" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[topic]]\n", "template"),
        ('[[topic]]\ntemplate = "a/{b"\n', "rule 1, 'a/{b': '{b': a level is a word"),
        ('[[topic]]\ntemplate = "a/{x}/{x}"\n', "{x} comes twice"),
        (
            '[[topic]]\ntemplate = "a/{device}"\ndevice = "b"\n',
            "names the device or the metric twi",
        ),
        ('[[topic]]\ntemplate = "a"\nconvention = "knx"\n', "no convention is called 'knx'"),
        ('[[topic]]\ntemplate = "a"\nfield = "knx"\n', "unknown field `field`"),
        ('time_zone = "Mars/Olympus"\n', "no time zone is called 'Mars/Olympus'"),
        ("time_zone = [", "not valid TOML"),
    ],
)
def test_a_rule_that_cannot_be_followed_stops_with_the_way_out(
    home: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    (home / RULES_NAME).write_text(text)
    assert call(home, "decode", "a/b", "1") == 2
    assert told in capsys.readouterr().err


def test_a_rules_file_that_is_named_must_be_there(home: Path) -> None:
    path = home / "edge.toml"
    path.write_text(path.read_text().replace('# rules_file = ""', 'rules_file = "mine.toml"'))
    assert call(home, "decode", "a/b", "1") == 2
    (home / "mine.toml").write_text(RULES)
    assert call(home, "decode", "a/b", "1") == 0


def told(explain: Explainer, topic: str, payload: bytes, *, retained: bool = False) -> str:
    return "\n".join(lines(explain.explain(topic, payload, retained=retained), payload))


def test_what_is_no_reading_says_why(home: Path) -> None:
    path = home / "edge.toml"
    path.write_text(path.read_text().replace("# ignore = []", 'ignore = ["secret/#"]'))
    explain = Explainer(load(home))
    assert "retained: the last value" in told(explain, "a/b", b"1", retained=True)
    assert "by ingest.ignore" in told(explain, "secret/a", b"1")
    assert "of the broker or of this agent" in told(explain, "tidegate/anomaly/a/b", b"1")
    assert "rejected: " in told(explain, "a/b", b"{torn")
    assert "= 1.5" in told(explain, "a/b", b"1.5")
    again = b'{"devEUI":"24","fCnt":1,"t":1}'
    told(explain, "m", again)
    assert "repeated: this uplink came already" in told(explain, "m", again)


def test_no_payload_commands_the_terminal(home: Path) -> None:
    explain = Explainer(load(home))
    text = told(explain, "a/b", b'{"x": "\\u001b[2J"}') + told(explain, "a/b", b"\x1b]0;owned\x07")
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text
    assert "\x07" not in text
