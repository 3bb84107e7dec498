"""`tidegate-cloud token`: one-time tokens that let gateways in."""

import re
import time
from datetime import UTC, datetime

import click

from cloud.config import load
from cloud.errors import OperatorError
from cloud.registry.registry import Registry, TokenRow
from protos.console import Place

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def time_to_live(_ctx: click.Context, _param: click.Parameter, text: str) -> int:
    """Read how long something lasts, in µs."""
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if not match:
        raise click.BadParameter(f"{text!r} is no time: 90s, 30m, 1h and 7d are")
    return int(match[1]) * UNITS_S[match[2]] * 1_000_000


@click.group()
def command() -> None:
    """Create, list or revoke enrolment tokens."""


@command.command()
@click.argument("name")
@click.option(
    "--ttl",
    "ttl_us",
    default="1h",
    show_default=True,
    callback=time_to_live,
    help="How long it lasts.",
)
@click.pass_obj
def create(place: Place, name: str, ttl_us: int) -> None:
    """Make a token for the gateway NAME; it is printed once, alone on stdout."""
    from cloud.ingest.enrolment import create_token
    from cloud.ingest.identity import Authority

    config = load(place.home)
    now_us = time.time_ns() // 1000
    authority = Authority.load(config.authority_folder)
    registry = Registry.open(config.registry_path)
    token = create_token(config, authority, registry, name, now_us, ttl_us)
    registry.audit(now_us, "token create", name, "command line", "created")
    click.echo(
        f"for the gateway {name}, once, until {_time(now_us + ttl_us)}; there, paste:\n"
        "  tidegate-edge enroll TOKEN\nTOKEN is the next line:",
        err=True,
    )
    click.echo(token.line())


@command.command("list")
@click.pass_obj
def list_tokens(place: Place) -> None:
    """List tokens, newest first; what they open is not kept."""
    registry = Registry.open(load(place.home).registry_path)
    now_us = time.time_ns() // 1000
    for row in registry.tokens():
        click.echo(f"{row.id}  {row.gateway:24}  {_state(row, now_us)}")


@command.command()
@click.argument("id_or_name")
@click.pass_obj
def revoke(place: Place, id_or_name: str) -> None:
    """Withdraw the unused tokens of this id or gateway."""
    registry = Registry.open(load(place.home).registry_path)
    now_us = time.time_ns() // 1000
    count = registry.revoke_tokens(id_or_name, now_us)
    if not count:
        hint = "`tidegate-cloud token list` shows all"
        raise OperatorError(f"revoke tokens of {id_or_name!r}", "none is unused", hint)
    registry.audit(now_us, "token revoke", id_or_name, "command line", f"{count} revoked")
    click.echo(f"{count} revoked")


def _state(row: TokenRow, now_us: int) -> str:
    if row.used_us is not None:
        return f"used {_time(row.used_us)}"
    if row.revoked_us is not None:
        return f"revoked {_time(row.revoked_us)}"
    return f"{'expired' if now_us >= row.expires_us else 'good until'} {_time(row.expires_us)}"


def _time(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")
