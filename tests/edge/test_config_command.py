"""`tidegate-edge config`: one effective configuration, each value with its origin."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.cli import console
from edge.config import FILE_NAME, load
from edge.config_origin import PROXY_VARIABLES, changed, effective
from edge.control import Control
from edge.health import Health
from edge.health_text import told
from edge.home import HOME_VARIABLE

FILE = '[gateway]\nname = "pump-1"\n[buffer]\nbytes_max = 33554432\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (HOME_VARIABLE, *PROXY_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / FILE_NAME).write_text(FILE)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    assert console().call([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["settings"]
    return {row["key"]: row for row in rows}


def test_a_check_tells_a_machine_what_can_be_used(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = home / "rules.toml"
    assert console().call(["--home", str(home), "config", "check", "--json"]) == 0
    found = {"settings": str(home / FILE_NAME), "rules": "", "rules_count": 0}
    assert json.loads(capsys.readouterr().out) == found
    rules.write_text('[[topic]]\ntemplate = "a/{device}"\n')
    assert console().call(["--home", str(home), "config", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found | {"rules": str(rules), "rules_count": 1}
    rules.write_text("[[topic]]\n")
    assert console().call(["--home", str(home), "config", "check", "--json"]) == 2
    assert not capsys.readouterr().out


def test_every_value_is_shown_with_where_it_comes_from(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shown(capsys, "--home", str(home), "config", "show", "--effective")
    assert rows["home"] == {
        "key": "home", "value": str(home), "origin": "flag --home", "runs_with": None,
    }  # fmt: skip
    assert (rows["gateway.name"]["value"], rows["gateway.name"]["origin"]) == ("pump-1", "file")
    assert rows["buffer.bytes_max"]["origin"] == "file"
    assert rows["ingest.linger_ms_max"]["origin"] == "default"
    assert rows["broker.client_id"]["value"] == "tidegate-pump-1"
    settings = msgspec.to_builtins(load(home).settings)
    assert {f"{name}.{key}" for name, part in settings.items() for key in part} == rows.keys() - {
        "home"
    }


def test_without_a_wish_for_all_only_what_was_set_is_shown(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shown(capsys, "config", "show", "--home", str(home))
    assert list(rows) == ["home", "gateway.name", "buffer.bytes_max"]


def test_the_environment_is_named_where_it_decides(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy:3128")
    rows = shown(capsys, "config", "show", "--effective")
    assert rows["home"]["origin"] == f"environment {HOME_VARIABLE}"
    assert rows["cloud.proxy"]["value"] == "http://proxy:3128"
    assert rows["cloud.proxy"]["origin"] == "environment https_proxy"


def test_a_good_file_is_called_good_and_a_bad_one_by_its_key(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--home", str(home), "config", "check"]
    assert console().call(words) == 0
    assert "can be used" in capsys.readouterr().out
    (home / FILE_NAME).write_text(FILE + '[broker]\nurl = "mqtts://h"\nca_file = "gone.pem"\n')
    assert console().call(words) == 2
    assert "broker.ca_file" in capsys.readouterr().err


def test_the_rules_of_topics_are_checked_too(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--home", str(home), "config", "check"]
    rules = home / "rules.toml"
    rules.write_text('[[topic]]\ntemplate = "a/{metric}"\n[[topic]]\ntemplate = "b/#"\n')
    assert console().call(words) == 0
    assert f"{rules} can be used: 2 rules" in capsys.readouterr().out
    rules.write_text('[[topic]]\ntemplate = "a/{metric}"\n[[topic]]\ntemplat = "b/#"\n')
    assert console().call(words) == 2
    told = capsys.readouterr().err
    assert "rule 2: Object contains unknown field `templat`\n" in told
    rules.write_text('[[topic]]\ntemplate = "a/{metric}"\nunits = { a = 1 }\n')
    assert console().call(words) == 2
    assert "rule 1: Expected `str`, got `int` - at `units" in capsys.readouterr().err


def test_a_rules_file_that_the_settings_name_must_be_there(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / FILE_NAME).write_text(FILE + '[ingest]\nrules_file = "mine.toml"\n')
    assert console().call(["--home", str(home), "config", "check"]) == 2
    assert "mine.toml" in capsys.readouterr().err


@asynccontextmanager
async def agent(home: Path) -> AsyncIterator[None]:
    """An agent's door that answers as one that was started with the file as it is now."""
    settings = load(home).settings

    async def answer() -> object:
        return settings

    async with Control(load(home).control_path, {"settings": answer}):
        yield


async def test_a_file_that_differs_from_what_runs_is_told_key_by_key(home: Path) -> None:
    async with agent(home):
        assert await asyncio.to_thread(changed, load(home)) == []
        (home / FILE_NAME).write_text(FILE.replace("33554432", "67108864"))
        assert await asyncio.to_thread(changed, load(home)) == ["buffer.bytes_max"]
        rows = await asyncio.to_thread(effective, load(home), "default")
        found = {row.key: (row.value, row.runs_with) for row in rows if row.runs_with is not None}
        assert found == {"buffer.bytes_max": (67108864, 33554432)}
    assert changed(load(home)) == []


def test_status_says_that_a_restart_is_due() -> None:
    health = Health(gateway="a", version="1", running=True, settings_changed=["buffer.bytes_max"])
    assert "settings buffer.bytes_max changed in the file since the start" in told(health)
    assert "changed in the file" not in told(Health(gateway="a", version="1", running=True))
