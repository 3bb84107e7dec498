"""`tidegate-cloud notify`: channels are tried, and what stands and was told is shown."""

import json
from contextlib import closing

import pytest

from cloud.cli import console
from cloud.notify.channel import Severity
from cloud.notify.file import NotifyFile
from cloud.notify.rule import What
from cloud.notify.standing import Finding
from cloud.notify.standings import Standings
from deploy.demo.broker import free_port
from tests.cloud.notify.told_world import T0, Hook

REFUSED, UNREACHABLE, OPERATOR = 4, 3, 2


@pytest.fixture
def home(tmp_path):
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    return tmp_path / "cloud"


def call(home, *words: str) -> int:
    return console().call(["--home", str(home), "notify", *words])


def settings(home, **urls: str) -> None:
    sections = (
        f'[notify.channels.{name}]\nkind = "webhook"\nurl = "{url}"\n' for name, url in urls.items()
    )
    (home / "cloud.toml").write_text("".join(sections))


def test_a_test_reaches_every_channel_and_is_in_the_log(home, capsys):
    with Hook() as first, Hook() as second:
        settings(home, ops=first.url, night=second.url)
        capsys.readouterr()
        assert call(home, "test", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["channel"], one["delivered"]) for one in told] == [("ops", True), ("night", True)]
    assert [hook.documents[0]["id"] for hook in (first, second)] == [one["id"] for one in told]
    assert first.documents[0]["test"] is True
    assert call(home, "log", "--json") == 0
    log = json.loads(capsys.readouterr().out)
    assert [(one["channel"], one["state"]) for one in log["notices"]] == [
        ("night", "delivered"), ("ops", "delivered"),
    ]  # fmt: skip
    assert log["dropped"] == []


def test_only_the_channel_that_is_named_is_tried(home):
    with Hook() as first, Hook() as second:
        settings(home, ops=first.url, night=second.url)
        assert call(home, "test", "night") == 0
    assert (first.posts, len(second.posts)) == ([], 1)


def test_a_channel_that_refuses_and_one_that_is_away_have_codes_of_their_own(home, capsys):
    with Hook(lambda _, __: (403, {})) as hook:
        settings(home, ops=hook.url, away=f"http://127.0.0.1:{free_port()}/")
        assert call(home, "test", "ops") == REFUSED
        assert call(home, "test", "away") == UNREACHABLE
        capsys.readouterr()
        assert call(home, "test") == REFUSED
    said = capsys.readouterr().out
    assert "ops  not told: it answered 403" in said
    assert "away  not told: connection refused" in said
    assert call(home, "log") == 0
    said = capsys.readouterr().out
    assert "dropped of ops: 2, a test that failed" in said
    assert "it answered 403" in said


def test_a_channel_that_there_is_not_is_told_the_nearest(home, capsys):
    settings(home, office="http://127.0.0.1:9/")
    capsys.readouterr()
    assert call(home, "test", "ofice") == OPERATOR
    assert "did you mean office?" in capsys.readouterr().err
    (home / "cloud.toml").write_text("")
    assert call(home, "test") == OPERATOR
    assert "[notify.channels.NAME]" in capsys.readouterr().err


def test_what_stands_is_shown_with_what_ended_only_when_it_is_asked_for(home, capsys):
    with closing(NotifyFile.open(home / "notify.db")) as file:
        rows = Standings(file)
        for name in ("attic", "cel\x1blar"):
            found = Finding("quiet", What.SILENCE, name, Severity.CRITICAL, name, T0)
            rows.begin(found, [], T0)
        rows.end(rows.open()["quiet", "attic"], [], T0 + 1)
    capsys.readouterr()
    assert call(home, "standing") == 0
    said = capsys.readouterr().out
    assert "cel\\x1blar" in said
    assert "attic" not in said
    assert call(home, "standing", "--all", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["gateway"] for one in told] == ["cel\x1blar", "attic"]


def test_where_nothing_was_told_nothing_is_made(home, capsys):
    for verb in ("log", "standing"):
        capsys.readouterr()
        assert call(home, verb) == 0
        assert capsys.readouterr().out == ""
    assert not (home / "notify.db").exists()
