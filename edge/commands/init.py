"""`tidegate-edge init`: make a home for the agent, asking only what cannot be found out."""

import re
import socket
import sys
from pathlib import Path
from typing import Final

import click

from edge.broker_search import HERE, Answer, Probed, found, probe
from edge.config import FILE_NAME, RULES_NAME, EdgeConfig, load
from edge.errors import OperatorError, UnreachableError
from edge.home import is_there, runs_as_service
from edge.settings import EdgeSettings
from edge.settings_links import Broker
from protos.console import Place
from protos.durable import put
from protos.limits import GATEWAY_NAME_BYTES_MAX
from protos.settings import WrongValueError, read_settings
from protos.settings_page import settings_file
from protos.token import gateway_name_problem

LISTEN_S: Final = 10.0
PASSWORD_NAME: Final = "keys/broker.password"
GUESSED: Final = "  # the host's name: the first enrolment may still change it"
_HEAD = (
    "The settings of this gateway. Every key is here, with its meaning and its default;\n"
    "remove the # in front of one to change it. A running agent reads them at its start."
)


@click.command()
@click.option("--name", help="The gateway's name in the cloud. [default: this host's name]")
@click.option("--broker", "url", help="The broker, as mqtt://host[:port] or mqtts://host[:port].")
@click.option(
    "--look/--no-look", default=None,
    help="Look for a broker in the network, and listen to it. [default: at a terminal]",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(0.1, 3600.0), default=LISTEN_S, show_default=True,
    help="How long to listen to it, to propose rules.",
)  # fmt: skip
@click.pass_obj
def command(
    place: Place, name: str | None, url: str | None, look: bool | None, seconds: float
) -> None:
    """Make the gateway's home: settings and the buffer's key; at a terminal, find the broker."""
    path = place.home / FILE_NAME
    if is_there(path):
        hint = f"edit {path}, or name another home with --home"
        raise OperatorError(f"make a gateway in {place.home}", "there is one already", hint)
    asks = sys.stdin.isatty()
    looks = asks if look is None else look
    _settings(name or host_name(), Broker() if url is None else _broker(url), guessed=True)
    broker = _broker(url) if url else _chosen(looks=looks, asks=asks)
    probed = probe(broker)
    broker, password, probed = _let_in(broker, probed) if asks else (broker, "", probed)
    text = _settings(name or host_name(), broker, guessed=name is None)
    _make_folders(place)
    _make_key(place.home)
    if password:
        put(place.home / PASSWORD_NAME, password.encode() + b"\n", 0o600)
    path.write_text(text, encoding="utf-8")
    config = load(place.home)
    click.echo(f"gateway  {config.name}, home {place.home}")
    click.echo(f"settings {path}")
    click.echo(f"broker   {config.settings.broker.url}: {probed.told}")
    if looks and probed.answer is Answer.OPEN:
        _propose(config, seconds, asks=asks)
    _say_next(config)


def _say_next(config: EdgeConfig) -> None:
    service = runs_as_service(config.home)
    start = "sudo systemctl restart tidegate-edge" if service else "tidegate-edge run"
    click.echo(
        f"\nnext, on the cloud:   tidegate-cloud token create {config.name}"
        f"\nthen, here:           {'sudo ' * service}tidegate-edge enroll   # and paste its line"
        f"\nand to collect:       {start}"
    )


def _broker(url: str) -> Broker:
    try:
        return Broker(url=url)
    except WrongValueError as error:
        raise OperatorError("take --broker", str(error), error.hint) from error


def _chosen(*, looks: bool, asks: bool) -> Broker:
    """The broker of this machine, one of the network, or the one that is named when asked."""
    here = Broker(url=HERE)
    if not looks or probe(here).answer is not Answer.SILENT:
        return here
    click.echo("no broker on this machine; looking in the network …", err=True)
    url = found()
    if url is None:
        return _asked() if asks else here
    question = f"there is a broker at {url}: take it?"
    return Broker(url=url) if not asks or click.confirm(question, default=True) else _asked()


def _asked() -> Broker:
    while True:
        url = click.prompt("the broker, as mqtt://host[:port] or mqtts://host[:port]", HERE)
        try:
            return _broker(url)
        except OperatorError as error:
            click.echo(f"{error.cause}: {error.hint}", err=True)


def _let_in(broker: Broker, probed: Probed) -> tuple[Broker, str, Probed]:
    """Ask for a user name and a password until the broker takes them, or none is given."""
    password = ""
    while probed.answer is Answer.WANTS_PASSWORD:
        click.echo(f"the broker at {broker.url} wants a user name and a password")
        username = click.prompt("user name (empty: leave it for later)", "", show_default=False)
        if not username:
            return Broker(url=broker.url), "", probed
        password = click.prompt("password", hide_input=True)
        broker = Broker(url=broker.url, username=username, password_file=PASSWORD_NAME)
        probed = probe(broker, password)
    return broker, password, probed


def _propose(config: EdgeConfig, seconds: float, *, asks: bool) -> None:
    """Listen for a while, say what is there, and write the rules that are worth it if wanted."""
    from edge.commands.discover import heard, proposal, summary

    try:
        listened = heard(config, "#", seconds)
    except UnreachableError as error:
        click.echo(f"listened {error.cause}", err=True)
        return
    click.echo(f"heard    {summary(listened, seconds)}")
    text = proposal(listened)
    if text and asks and click.confirm(f"{text}\nwrite these rules into {RULES_NAME}?", False):
        put(config.rules_path, text.encode() + b"\n", 0o600)
        config.rules()
    elif text:
        click.echo(f"rules    `tidegate-edge discover` proposes some for {config.rules_path}")


def host_name() -> str:
    """This host's name, made fit for a certificate."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname().partition(".")[0])
    return name[:GATEWAY_NAME_BYTES_MAX].strip("._-") or "gateway"


def _settings(name: str, broker: Broker, *, guessed: bool) -> str:
    problem = gateway_name_problem(name)
    if problem:
        raise OperatorError(f"make a gateway {name!r}", problem, "choose another --name")
    default = Broker()
    told = {key: getattr(broker, key) for key in ("url", "username", "password_file")}
    chosen = {key: value for key, value in told.items() if value != getattr(default, key)}
    text = settings_file(EdgeSettings, {"gateway": {"name": name}, "broker": chosen}, _HEAD)
    read_settings(text, EdgeSettings)
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
