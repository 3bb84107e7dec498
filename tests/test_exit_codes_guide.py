"""The guide's page of exit codes is what the errors and the verbs of both halves do."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cloud import cli as cloud_cli
from cloud import errors as cloud_errors
from edge import cli as edge_cli
from edge import errors
from edge.cli import console
from protos.console import INTERRUPTED, OUR_FAULT, WRONG_USE

PAGE = Path(__file__).parent.parent / "docs" / "guide" / "exit-codes.md"
NO_BROKER = "mqtt://127.0.0.1:1"
EDGE, CLOUD = "verb", "verb of the cloud"
OF_EVERY_VERB = {0, WRONG_USE, OUR_FAULT, INTERRUPTED}


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose head begins so."""
    _, _, table = PAGE.read_text().partition(f"| {head} |")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def codes_of_verbs(head: str = EDGE) -> dict[str, set[int]]:
    """The codes that the page gives to each verb of a half."""
    return {
        verb.strip("`"): {int(code) for code in re.findall(r"(?:^|; )([0-9]+):", text)}
        | OF_EVERY_VERB
        for verb, text in rows(head)
    }


def verbs(group: click.Group) -> Iterator[str]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield name
            yield from (f"{name} {below}" for below in command.commands)
        else:
            yield name


def test_every_code_is_that_of_its_class_in_both_halves() -> None:
    told = {int(code): name.strip("`") for code, _, name in rows("code")}
    assert told.keys() >= OF_EVERY_VERB
    for module, base in (
        (errors, errors.TidegateError),
        (cloud_errors, cloud_errors.TidegateError),
    ):
        known = {
            kind.exit_code: name
            for name, kind in inspect.getmembers(module, inspect.isclass)
            if issubclass(kind, base) and "exit_code" in vars(kind) and kind is not base
        }
        assert known == {code: name for code, name in told.items() if name}


@pytest.mark.parametrize(("head", "group"), [(EDGE, edge_cli.group), (CLOUD, cloud_cli.group)])
def test_every_verb_is_told_with_codes_that_there_are(head: str, group: click.Group) -> None:
    told = codes_of_verbs(head)
    assert list(told) == list(verbs(group))
    known = {int(code) for code, *_ in rows("code")}
    assert all(codes <= known for codes in told.values())


@pytest.mark.parametrize(
    ("verb", "words", "code"),
    [
        ("init", "", 2),
        ("enroll", "nonsense", 2),
        ("status", "", 0),
        ("doctor", "", 3),
        ("config check", "", 0),
        ("config show", "", 0),
        ("tap", "", 3),
        ("decode", "a nonsense", 0),
        ("decode", "a/+ 1", 2),
        ("discover", "", 3),
        ("top", "", 3),
        ("rejects list", "", 3),
        ("rejects show", "1", 3),
        ("rejects retry", "", 3),
        ("replay", "FILE", 2),
        ("buffer stats", "", 2),
        ("buffer verify", "", 2),
        ("buffer export", "FILE", 2),
        ("buffer drain", "", 3),
        ("selftest", "FILE", 2),
        ("completion", "none", 2),
    ],
)
def test_a_verb_where_neither_agent_nor_broker_runs_ends_as_the_page_says(
    tmp_path: Path, verb: str, words: str, code: int
) -> None:
    home, absent = tmp_path / "edge", str(tmp_path / "absent")
    called = ["--home", str(home)]
    assert console().call([*called, "init", "--name", "g", "--broker", NO_BROKER]) == 0
    typed = [absent if word == "FILE" else word for word in words.split()]
    assert console().call([*called, *verb.split(), *typed]) == code
    assert code in codes_of_verbs()[verb]


@pytest.mark.parametrize("verb", ["run", "status", "tap", "top", "rejects list", "buffer stats"])
def test_a_verb_without_a_home_ends_as_the_operators(tmp_path: Path, verb: str) -> None:
    assert console().call(["--home", str(tmp_path / "none"), *verb.split()]) == WRONG_USE


@pytest.mark.parametrize(
    ("verb", "words", "code"),
    [
        ("init", "", 2),
        ("token list", "", 0),
        ("token revoke", "g", 2),
        ("user list", "", 0),
        ("user add", "ann --role admin --password-file FILE", 2),
        ("user password", "ann", 2),
        ("user role", "ann viewer", 2),
        ("user remove", "ann", 2),
        ("api-token list", "", 0),
        ("api-token create", "Ann", 2),
        ("api-token revoke", "x", 2),
        ("gateways", "", 0),
        ("gateways revoke", "g", 2),
        ("gateways renew", "g", 2),
        ("gateways pardon", "g", 2),
        ("ledger", "", 5),
        ("verify", "", 5),
        ("consolidate", "", 5),
        ("rebuild", "", 2),
        ("retention", "--dry-run", 2),
        ("vacuum", "", 2),
        ("quarantine list", "", 2),
        ("quarantine show", "1", 2),
        ("quarantine release", "1", 2),
        ("quarantine discard", "1 --why x", 2),
        ("notify test", "", 2),
        ("notify log", "", 0),
        ("notify standing", "", 0),
        ("backup", "FILE", 2),
        ("restore", "FILE", 2),
        ("import", "FILE", 2),
        ("series list", "", 3),
        ("series show", "a/b", 3),
        ("series rename", "a/b c/d", 3),
        ("series undo", "1", 3),
        ("query", "a/b", 3),
        ("completion", "none", 2),
    ],
)
def test_a_verb_of_a_cloud_that_never_served_ends_as_the_page_says(
    tmp_path: Path, verb: str, words: str, code: int
) -> None:
    called = ["--home", str(tmp_path / "cloud")]
    call = cloud_cli.console().call
    assert call([*called, "init"]) == 0
    (tmp_path / "cloud" / "cloud.toml").write_text('[listen]\nhttp = "127.0.0.1:1"\n')
    absent = str(tmp_path / "absent")
    typed = [absent if word == "FILE" else word for word in words.split()]
    assert call([*called, *verb.split(), *typed]) == code
    assert code in codes_of_verbs(CLOUD)[verb]
