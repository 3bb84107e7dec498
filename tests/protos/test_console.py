"""The console: one message an error, and an exit code that says whose fault it was."""

import sys
import types
from pathlib import Path
from typing import ClassVar

import click
import pytest

from protos.console import INTERRUPTED, OUR_FAULT, WRONG_USE, Console, Extra, Place, Verbs


class TroubleError(Exception):
    exit_code: ClassVar[int] = 5

    def __init__(self, tried: str, cause: str, hint: str = "") -> None:
        super().__init__(tried)
        self.tried, self.cause, self.hint = tried, cause, hint


FAILURES: dict[str, BaseException | None] = {
    "fine": None,
    "trouble": TroubleError("read x", "it is\nnot there", "put it there"),
    "grouped": ExceptionGroup("g", [ExceptionGroup("h", [TroubleError("read y", "gone")])]),
    "mixed": ExceptionGroup("g", [TroubleError("read y", "gone"), ValueError("ours")]),
    "bug": ZeroDivisionError("division by zero"),
    "absent": ModuleNotFoundError("No module named 'paho.mqtt'", name="paho.mqtt"),
    "unknown": ModuleNotFoundError("No module named 'frob'", name="frob"),
    "interrupt": KeyboardInterrupt(),
    "pipe": BrokenPipeError(),
    "exit": click.exceptions.Exit(9),
}


def _verb(failure: BaseException | None) -> click.Command:
    def act() -> None:
        if failure is not None:
            raise failure

    return click.Command("verb", callback=act)


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    for name, failure in FAILURES.items():
        module = types.ModuleType(f"verbs_of_a_test.{name}")
        module.command = _verb(failure)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "verbs_of_a_test", types.ModuleType("verbs_of_a_test"))

    @click.group(cls=Verbs, verbs=dict.fromkeys(FAILURES, "does it"), package="verbs_of_a_test")
    @click.pass_obj
    def group(place: Place) -> None:
        assert place.home == tmp_path

    needs = Extra("test", frozenset({"paho"}))
    return Console("tidegate-test", group, TroubleError, tmp_path, needs)


def test_a_known_trouble_is_one_message_without_a_traceback(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.call(["trouble"]) == 5
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "tidegate-test: could not read x\n  cause: it is\n         not there\n"
        "  to do: put it there\n"
    )


def test_a_trouble_inside_task_groups_is_told_as_itself(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.call(["grouped"]) == 5
    assert capsys.readouterr().err == "tidegate-test: could not read y\n  cause: gone\n"


@pytest.mark.parametrize("verb", ["bug", "mixed", "unknown"])
def test_our_own_fault_is_called_so_and_its_traceback_is_kept(
    console: Console, capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str
) -> None:
    assert console.call([verb]) == OUR_FAULT
    told = capsys.readouterr().err
    assert "this is our fault" in told
    assert "Traceback" not in told
    kept = tmp_path / "tidegate-test-last-error.txt"
    assert str(kept) in told
    assert "Traceback" in kept.read_text()


@pytest.mark.parametrize(
    ("verb", "code"), [("fine", 0), ("interrupt", INTERRUPTED), ("exit", 9), ("frob", 2)]
)
def test_every_other_end_has_its_code(console: Console, verb: str, code: int) -> None:
    assert console.call([verb]) == code


def test_a_half_that_is_not_installed_says_how_to_install_it(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.call(["absent"]) == WRONG_USE
    assert capsys.readouterr().err == (
        "tidegate-test: this half is not installed: there is no paho here\n"
        "  to do: pip install 'tidegate[test]'\n"
    )


def test_an_unknown_verb_is_told_with_the_nearest(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.call(["troble"]) == 2
    assert "No such command 'troble': did you mean 'trouble'?" in capsys.readouterr().err
    assert console.call(["zzz"]) == 2
    assert "there is fine, trouble" in capsys.readouterr().err


def test_help_lists_the_verbs_without_importing_them(
    console: Console, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FAILURES:
        monkeypatch.delitem(sys.modules, f"verbs_of_a_test.{name}")
    assert console.call(["--help"]) == 0
    assert "interrupt" in capsys.readouterr().out
