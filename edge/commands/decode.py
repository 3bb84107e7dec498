"""`tidegate-edge decode`: how one message is read, and why, without a broker."""

import sys
import time
from pathlib import Path

import click
import msgspec

from edge.config import FILE_NAME, EdgeConfig, load
from edge.errors import OperatorError
from protos.console import Place


@click.command()
@click.argument("topic")
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
    """Explain how a message with PAYLOAD on TOPIC is read; without PAYLOAD it comes from stdin."""
    from edge.explain import Explainer, lines

    data = _payload(payload, file, as_hex=as_hex)
    now_us = time.time_ns() // 1000
    told = Explainer(_config(place)).explain(topic, data, retained=retained, arrival_us=now_us)
    click.echo(msgspec.json.encode(told) if as_json else "\n".join(lines(told, data)))


def _payload(payload: str | None, file: Path | None, *, as_hex: bool) -> bytes:
    if file is not None:
        data = file.read_bytes()
    elif payload is not None:
        data = payload.encode(errors="surrogateescape")
    else:
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
