"""`tidegate-edge enroll`: a pasted token against an identity."""

import dataclasses
import re
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Final

import click
import msgspec

from edge.commands.init import GUESSED
from edge.config import EdgeConfig, load
from edge.errors import OperatorError, StorageError
from edge.settings import EdgeSettings
from protos.console import Place
from protos.durable import put
from protos.settings import read_settings
from protos.token import MARK, TOKEN_CHARS_MAX, Token, TokenError, read_token

TYPED_CHARS_MAX: Final = 8 * TOKEN_CHARS_MAX
"""Of a paste with blanks and line breaks in it."""


@click.command()
@click.argument("token", nargs=-1)
@click.option("--replace", is_flag=True, help="Enrol anew; the readings in the buffer are kept.")
@click.option(
    "--rename",
    is_flag=True,
    help="Take the token's name and go on with this buffer: what the cloud lacks is sent under it.",
)
@click.pass_obj
def command(place: Place, token: tuple[str, ...], replace: bool, rename: bool) -> None:
    """Get an identity from the cloud with a one-time TOKEN.

    Without one it is asked for, and neither the shell's history nor the list of processes has it;
    '-' reads it from stdin.
    """
    from edge.enrol import enrol

    config = load(place.home)
    parsed = _pasted(" ".join(token))
    text = config.settings_path.read_text(encoding="utf-8")
    if rename and parsed.gateway != config.name:
        text = _with_name(text, config, parsed.gateway)
        renamed = _reread(config, text)
    else:
        renamed = _renamed(config, parsed)
        text = text.replace(_guessed(config.name), _guessed(parsed.gateway), 1)
    identity = enrol(parsed, renamed, version("tidegate"), replace=replace or rename)
    if renamed is not config:
        _keep_name(config, parsed.gateway, text)
    click.echo(f"enrolled as {identity.name}; readings go to {identity.sync_address}")
    click.echo("its certificate renews itself; `tidegate-edge status` tells for how long it serves")
    if (replace or rename) and config.control_path.exists():
        click.echo("restart the agent so that it uses the new identity")


def _pasted(given: str) -> Token:
    """The token that was given or is pasted now, over several lines if a terminal broke it."""
    from edge.enrol import parse_token

    if given not in ("", "-"):
        return parse_token(given)
    if given == "-" or not sys.stdin.isatty():
        return parse_token(sys.stdin.read(TYPED_CHARS_MAX))
    click.echo("paste the line that `tidegate-cloud token create` printed, and press Enter:")
    text = ""
    while len(text) < TYPED_CHARS_MAX and (line := sys.stdin.readline()).strip():
        text += line
        with suppress(TokenError):
            return read_token(text)
        if not text.lstrip().startswith(MARK):
            break
    return parse_token(text)


def _guessed(name: str) -> str:
    return f'name = "{name}"{GUESSED}\n'


def _renamed(config: EdgeConfig, token: Token) -> EdgeConfig:
    """The token's name where ours was only guessed and nothing is kept under it yet."""
    if token.gateway == config.name or config.buffer_path.exists():
        return config
    if _guessed(config.name) not in config.settings_path.read_text(encoding="utf-8"):
        return config
    gateway = msgspec.structs.replace(config.settings.gateway, name=token.gateway)
    settings = msgspec.structs.replace(config.settings, gateway=gateway)
    return dataclasses.replace(config, settings=settings)


def _with_name(text: str, config: EdgeConfig, name: str) -> str:
    """The settings with another name, and the one that the buffer was begun under."""
    lines = f'name = "{name}"\nbegun_as = "{config.buffer_name}"'
    without = re.sub(r"(?m)^[ \t]*begun_as[ \t]*=.*\n", "", text)
    return re.sub(
        r"(?m)(^\[gateway\](?:\n(?!\[).*)*?\n)[ \t]*name[ \t]*=.*$", rf"\1{lines}", without
    )


def _reread(config: EdgeConfig, text: str) -> EdgeConfig:
    """What the settings would be, before the token is spent."""
    settings = read_settings(text, EdgeSettings)
    changed = dataclasses.replace(config, settings=settings)
    if changed.name == config.name or changed.buffer_name != config.buffer_name:
        tried = f"write another name into {config.settings_path}"
        hint = f'write name = "…" and begun_as = "{config.buffer_name}" under [gateway] yourself'
        raise OperatorError(tried, "its [gateway] is not written as `init` writes it", hint)
    return changed


def _keep_name(config: EdgeConfig, name: str, text: str) -> None:
    """Write the name that the cloud has agreed to into the settings, and say so."""
    path = config.settings_path.resolve()  # a link stays one
    try:
        put(path, text.encode(), path.stat().st_mode & 0o777)
    except OSError as error:
        tried = f"write the name {name} into {path}"
        hint = f'the identity is kept; write name = "{name}" under [gateway] yourself'
        raise StorageError(tried, str(error.strerror), hint) from error
    click.echo(f"this gateway is now called {name}, as the token says")
