"""`tidegate-edge decode`: how one message is read, and why, without a broker."""

import sys
import time
from pathlib import Path

import click
import msgspec

from edge.config import FILE_NAME, EdgeConfig, load
from edge.errors import OperatorError
from edge.topic import name_problem
from protos.console import Place


def _topic(_ctx: click.Context, _param: click.Parameter, text: str) -> str:
    problem = name_problem(text)
    if problem:
        raise click.BadParameter(f"{text!r} is no topic: {problem}")
    return text


@click.command()
@click.argument("topic", callback=_topic)
@click.argument("payload", required=False)
@click.option("--hex", "as_hex", is_flag=True, help="PAYLOAD is hexadecimal.")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Read the payload from a file.",
)
@click.option("--retained", is_flag=True, help="As if the broker had kept it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def command(
    place: Place,
    topic: str,
    payload: str | None,
    as_hex: bool,
    file: Path | None,
    retained: bool,
    as_json: bool,
) -> None:
    """Explain how a message with PAYLOAD on TOPIC is read; without PAYLOAD it comes from stdin.

    Exit codes: 0 it was explained, whatever becomes of it; 2 the payload cannot be had.
    """
    from edge.explain import Explainer, lines

    data = _payload(payload, file, as_hex=as_hex)
    now_us = time.time_ns() // 1000
    told = Explainer(_config(place)).explain(topic, data, retained=retained, arrival_us=now_us)
    click.echo(msgspec.json.encode(told) if as_json else "\n".join(lines(told, data)))


def _payload(payload: str | None, file: Path | None, *, as_hex: bool) -> bytes:
    if file is not None and payload is not None:
        raise click.UsageError("PAYLOAD and --file are two payloads: give one")
    if file is not None:
        try:
            data = file.read_bytes()
        except OSError as error:
            hint = "check who may read it"
            raise OperatorError(f"read {file}", str(error.strerror).lower(), hint) from error
    elif payload is not None:
        data = payload.encode(errors="surrogateescape")
    else:
        if sys.stdin.isatty():
            click.echo("the payload is what you type; Ctrl-D ends it", err=True)
        data = sys.stdin.buffer.read()
    if not as_hex:
        return data
    try:
        return bytes.fromhex(data.decode())
    except (ValueError, UnicodeDecodeError) as error:
        raise OperatorError("read the payload", str(error), "is it hexadecimal?") from error


def _config(place: Place) -> EdgeConfig:
    """The home's settings where there is a home, else the defaults: a message needs neither."""
    if (place.home / FILE_NAME).exists():
        return load(place.home)
    from edge.settings import EdgeSettings
    from protos.settings import read_settings

    return EdgeConfig(place.home, read_settings('[gateway]\nname = "none"\n', EdgeSettings))
