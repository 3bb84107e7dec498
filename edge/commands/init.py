"""`tidegate-edge init`: make a home in which the agent can run."""

import re
import socket
from pathlib import Path
from typing import Final

import click

from edge.config import FILE_NAME, load
from edge.errors import OperatorError
from edge.home import is_there
from edge.settings import EdgeSettings
from edge.settings_links import Broker
from protos.console import Place
from protos.limits import GATEWAY_NAME_BYTES_MAX
from protos.settings import SettingsError, read_settings
from protos.settings_page import settings_file
from protos.token import gateway_name_problem

PROBE_S: Final = 2.0
GUESSED: Final = "  # the host's name: the first enrolment may still change it"
_CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00"
_ANSWERS = {
    0: "answers",
    4: "wants a user name and password: see [broker] in the settings",
    5: "wants a user name and password: see [broker] in the settings",
}
_HEAD = (
    "The settings of this gateway. Every key is here, with its meaning and its default;\n"
    "remove the # in front of one to change it. A running agent reads them at its start."
)


@click.command()
@click.option("--name", help="The gateway's name in the cloud. [default: this host's name]")
@click.option("--broker", "url", help="The broker, as mqtt://host[:port] or mqtts://host[:port].")
@click.pass_obj
def command(place: Place, name: str | None, url: str | None) -> None:
    """Make the gateway's home: settings and the buffer's key."""
    path = place.home / FILE_NAME
    if is_there(path):
        hint = f"edit {path}, or name another home with --home"
        raise OperatorError(f"make a gateway in {place.home}", "there is one already", hint)
    text = _settings(name or host_name(), url, guessed=name is None)
    _make_folders(place)
    _make_key(place.home)
    path.write_text(text, encoding="utf-8")
    config = load(place.home)
    click.echo(f"gateway  {config.name}, home {place.home}")
    click.echo(f"settings {path}")
    click.echo(f"broker   {config.settings.broker.url}: {probe(config.settings.broker)}")
    click.echo(
        "\nnext, on the cloud:   tidegate-cloud token create "
        f"{config.name}\nthen, here:           tidegate-edge enroll TOKEN"
        "\nand to collect:       tidegate-edge run"
    )


def host_name() -> str:
    """This host's name, made fit for a certificate."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname().partition(".")[0])
    return name[:GATEWAY_NAME_BYTES_MAX].strip("._-") or "gateway"


def _settings(name: str, url: str | None, *, guessed: bool) -> str:
    problem = gateway_name_problem(name)
    if problem:
        raise OperatorError(f"make a gateway {name!r}", problem, "choose another --name")
    chosen = {"gateway": {"name": name}} | ({"broker": {"url": url}} if url else {})
    text = settings_file(EdgeSettings, chosen, _HEAD)
    try:
        read_settings(text, EdgeSettings)
    except SettingsError as error:
        raise OperatorError("take --broker", error.cause, error.hint) from error
    line = f'name = "{name}"'
    return text.replace(f"\n{line}\n", f"\n{line}{GUESSED}\n", 1) if guessed else text


def _make_folders(place: Place) -> None:
    home = place.home
    try:
        place.make()
        for name in ("models", "run"):
            (home / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        hint = "choose a folder that you may write with --home"
        raise OperatorError(f"make the home {home}", str(error.strerror), hint) from error


def _make_key(home: Path) -> None:
    from edge.keys import make_key_file

    key = home / "keys" / "buffer.key"
    if key.exists():
        return
    if (home / "buffer.db").exists():
        cause = f"there is a buffer, but its key {key} is gone"
        hint = "bring the key back, or move buffer.db away: without the key nobody can read it"
        raise OperatorError(f"make a gateway in {home}", cause, hint)
    make_key_file(key)


def probe(broker: Broker) -> str:
    """Say whether a broker answers there; plain MQTT 3.1.1, nothing is published."""
    if broker.tls:
        return "not tried (TLS)"
    try:
        with socket.create_connection((broker.host, broker.port), PROBE_S) as connection:
            connection.settimeout(PROBE_S)
            connection.sendall(_CONNECT)
            answer = connection.recv(4)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return f"no broker there now ({reason}); the agent will keep trying"
    if len(answer) < 4 or answer[0] != 0x20:
        return "something answers, but it does not speak MQTT"
    return _ANSWERS.get(answer[3], f"refuses connections (code {answer[3]})")
