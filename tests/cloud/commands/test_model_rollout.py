"""The commands of rollouts: beside a running cloud or without one, with errors that help."""

import json
from pathlib import Path

import pytest

from cloud.cli import console
from cloud.registry.registry import Registry
from tests.rollout.models_made import package


class Shell:
    """A cloud's home and its command line."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys
        self.run("init")

    def run(self, *arguments: str, code: int = 0) -> str:
        found = console().call(["--home", str(self.home), *arguments])
        out, err = self._capsys.readouterr()
        assert found == code, out + err
        return out if code == 0 else err

    def file(self, version: str) -> str:
        path = self.home.parent / f"given-{version}.tgm"
        path.write_bytes(package(version))
        return str(path)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "home", capsys)


def test_a_file_is_published_rolled_out_advanced_and_taken_back(shell: Shell) -> None:
    assert "spread 1 is published" in shell.run("model", "publish", shell.file("1"))
    made = json.loads(shell.run("model", "rollout", "spread", "--share", "0.5", "--json"))
    assert (made["stage"], made["share"]) == ("shadow", 0.5)
    assert "canary" in shell.run("model", "rollout", "spread", "--advance")
    assert "canary of 50%" in shell.run("model", "rollout")
    gone = shell.run("model", "rollback", "spread", "--why", "too loud", "--author", "ada")
    assert "taken back" in gone
    assert "by ada: too loud" in gone
    registry = Registry.open(shell.home / "registry.db")
    told = [row["action"] for row in reversed(registry.audit_rows())]
    registry.close()
    assert [one for one in told if one.startswith("model")] == [
        "model publish", "model rollout", "model rollout", "model rollback",
    ]  # fmt: skip


def test_a_version_of_the_shelf_is_named_behind_an_at(shell: Shell) -> None:
    shell.run("model", "publish", shell.file("2"))
    shell.run("model", "publish", shell.file("1"))
    assert "spread 1 is published" in shell.run("model", "publish", "spread@1")
    assert "spread 2 is published" in shell.run("model", "publish", "spread")
    made = json.loads(shell.run("model", "rollout", "spread@1", "--json"))
    assert made["version"] == "1"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("publish", "nothing"), "`model train` makes one"),
        (("publish", "missing.tgm"), "no such file"),
        (("rollout", "nothing"), "it was not published"),
        (("rollout", "nothing", "--advance"), "none of that id or model"),
        (("rollback", "7"), "none of that id or model"),
        (("rollout", "nothing", "--share", "2"), "--share"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_way_out(
    shell: Shell, arguments: tuple[str, ...], word: str
) -> None:
    assert word in shell.run("model", *arguments, code=2)
