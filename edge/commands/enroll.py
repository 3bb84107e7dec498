"""`tidegate-edge enroll`: a pasted token against an identity."""

import sys
from datetime import UTC, datetime
from importlib.metadata import version

import click

from edge.commands.init import GUESSED
from edge.config import EdgeConfig, load
from protos.console import Place
from protos.token import Token


@click.command()
@click.argument("token")
@click.option("--replace", is_flag=True, help="Enrol anew; the readings in the buffer are kept.")
@click.pass_obj
def command(place: Place, token: str, replace: bool) -> None:
    """Get an identity from the cloud with a one-time TOKEN ('-' reads it from stdin)."""
    from edge.enrol import enrol, parse_token

    parsed = parse_token(sys.stdin.read(65536) if token == "-" else token)
    config = _named(load(place.home), parsed)
    identity = enrol(parsed, config, version("tidegate"), replace=replace)
    until = datetime.fromtimestamp(identity.not_after_us / 1e6, UTC).strftime("%Y-%m-%d")
    click.echo(f"enrolled as {identity.name}; readings go to {identity.sync_address}")
    click.echo(f"the certificate is valid until {until}")
    if replace and config.control_path.exists():
        click.echo("restart the agent so that it uses the new identity")


def _named(config: EdgeConfig, token: Token) -> EdgeConfig:
    """Take the token's name where ours was only guessed and nothing is kept under it yet."""
    if token.gateway == config.name or config.buffer_path.exists():
        return config
    path = config.settings_path
    text = path.read_text(encoding="utf-8")
    guessed = f'name = "{config.name}"{GUESSED}\n'
    if guessed not in text:
        return config
    path.write_text(
        text.replace(guessed, f'name = "{token.gateway}"{GUESSED}\n', 1), encoding="utf-8"
    )
    click.echo(f"this gateway is now called {token.gateway}, as the token says")
    return load(config.home)
