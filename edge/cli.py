"""`tidegate-edge`: the operator's way in. One verb a file in `edge/commands/`, loaded when called.

How verbs are found and errors told is in `protos/console.py`; exit codes are in `edge/errors.py`.
"""

import os
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from edge.errors import OperatorError, TidegateError
from edge.home import HOME_VARIABLE, default_home
from edge.machine import refusal
from protos.console import Console, Extra, Place, Verbs

PROGRAM: Final = "tidegate-edge"
VERBS: Final = {
    "init": "make the gateway's home: settings and the buffer's key",
    "enroll": "get an identity from the cloud with a one-time token",
    "run": "collect, watch and deliver until stopped",
    "status": "how the gateway is",
    "doctor": "what is wrong with this gateway, and what to do about it",
    "config": "check the settings, or show each with where it comes from",
    "tap": "show live how each message is read",
    "decode": "explain how one message is read",
    "discover": "listen for a while and propose rules for what is heard",
    "top": "show live which topics, devices and conventions are busiest",
    "rejects": "the messages that could not be read, why, and once more",
    "watch": "the rules that find anomalies: list them, try them on a recording",
    "replay": "publish a recorded CSV as a sensor would",
    "buffer": "what waits for the cloud: stats, verify, export, drain",
    "key": "rotate the buffer's key",
    "model": "list, show or check models; a check runs one apart",
    "selftest": "try whether readings can be trusted to a card",
    "completion": "print the shell's completion script",
}

NEEDS: Final = Extra("edge", frozenset({"aiomqtt", "onnxruntime", "paho"}))


@click.group(
    cls=Verbs,
    verbs=VERBS,
    package="edge.commands",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="tidegate", prog_name=PROGRAM)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=HOME_VARIABLE,
    show_envvar=True,
    help="Folder that holds everything of this gateway. [default: /var/lib/tidegate-edge for "
    "root, else ~/.tidegate/edge]",
)
@click.pass_obj
def group(place: Place, home: Path | None) -> None:
    """Tidegate on a gateway: MQTT in, anomalies found where they arise, nothing lost."""
    place.home = (home or place.home).absolute()


def console() -> Console:
    """The command, ready to be called."""
    return Console(PROGRAM, group, TidegateError, default_home(), NEEDS)


def main() -> None:
    """Run the command line of this process and exit; on a machine that it cannot run on, say so."""
    why = refusal(struct.calcsize("P") * 8, os.uname().machine, _cpuinfo())
    if why is not None:
        click.echo(f"{PROGRAM}: cannot run here: {why[0]}\n  to do: {why[1]}", err=True)
        sys.exit(OperatorError.exit_code)
    console().main()


def _cpuinfo() -> str:
    with suppress(OSError):
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    return ""
