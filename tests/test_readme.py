"""What the README says to type: each command is one that there is, and those of the cloud run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cloud import cli as cloud_cli
from edge import cli as edge_cli

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
PROGRAMS = {"tidegate-cloud": cloud_cli.group, "tidegate-edge": edge_cli.group}
FOREVER = {"tidegate-cloud serve", "tidegate-edge run"}


def typed() -> list[str]:
    """Every call of our commands, from blocks and from the text."""
    blocks = re.findall(r"^```sh\n(.+?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    quoted = re.findall(r"`(tidegate-(?:cloud|edge) [^`]+)`", TEXT)
    found = [line for line in [*lines, *quoted] if line.startswith(tuple(PROGRAMS))]
    return list(dict.fromkeys(found))


def of_the_cloud() -> list[str]:
    """The cloud's commands in the order of the blocks."""
    section = TEXT.partition("## Set it up for real\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.+?)^```$", section, re.MULTILINE | re.DOTALL)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("tidegate-cloud") and line not in FOREVER]


@pytest.mark.parametrize("line", typed())
def test_every_command_of_the_readme_is_one_that_there_is(line: str) -> None:
    program, *words = shlex.split(line)
    command: click.Command = PROGRAMS[program]
    context = click.Context(command, info_name=program)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None, line
        command, context = found, click.Context(found, parent=context, info_name=name)
        if words in ([], ["--help"]):
            return
    command.make_parser(context).parse_args(list(words))


def test_a_verb_or_an_option_that_there_is_not_would_be_found() -> None:
    for line in ("tidegate-cloud usr add ann", "tidegate-cloud user add ann --rule admin"):
        with pytest.raises(click.UsageError):
            test_every_command_of_the_readme_is_one_that_there_is(line)


def test_a_newcomer_sets_the_cloud_up_with_the_very_commands(tmp_path: Path) -> None:
    lines = of_the_cloud()
    assert [" ".join(line.split()[1:3]) for line in lines] == [
        "init --host", "token create", "user add", "api-token create",
    ]  # fmt: skip
    said = {}
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] == "user":  # that it is asked for at a terminal is shown in test_user.py
            words += ["--password-file", "-"]
        done = subprocess.run(
            [sys.executable, "-c", "from cloud.cli import main; main()", *words], cwd=ROOT,
            input="correct horse\n", capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "TIDEGATE_CLOUD_HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        said[words[0]] = done.stdout
    assert "ann may sign in as admin" in said["user"]
    for one_line in ("token", "api-token"):
        assert len(said[one_line].split()) == 1, "what is to be pasted stands alone"
