"""`tidegate-cloud api-token`: tokens by which programs ask the API."""

import json
import secrets
import time
from typing import Any

import click

from cloud.access.people import TOKEN_DAYS_MAX, TOKENS_MAX, ApiToken, name_problem
from cloud.access.role import ROLES
from cloud.access.secret import digest, token_secret
from cloud.commands.token import time_to_live
from cloud.commands.user import ACTOR, registry_of
from cloud.errors import OperatorError
from protos.console import Place
from protos.shown import shown_time

_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
_ID_BYTES = 4
DAY_US = 86_400_000_000


@click.group()
def command() -> None:
    """Create, list or revoke tokens for the API; a running cloud knows within a second.

    A program sends one as `Authorization: Bearer TOKEN`, or takes it from TIDEGATE_API_TOKEN.
    """


@command.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice([*ROLES]), default="viewer", show_default=True,
    help="What it may do.",
)  # fmt: skip
@click.option(
    "--ttl", "ttl_us", default="365d", show_default=True, callback=time_to_live,
    help="How long it lasts.",
)  # fmt: skip
@_JSON
@click.pass_obj
def create(place: Place, name: str, role: str, ttl_us: int, as_json: bool) -> None:
    """Make the token NAME; it is printed once, alone on stdout, and kept as a hash."""
    tried = f"make the API token {name!r}"
    if problem := name_problem(name):
        raise OperatorError(tried, problem, "choose another name")
    if not 0 < ttl_us <= TOKEN_DAYS_MAX * DAY_US:
        cause = f"it would last for nothing, or for more than {TOKEN_DAYS_MAX} days"
        raise OperatorError(tried, cause, "choose another --ttl")
    now_us, secret = time.time_ns() // 1000, token_secret()
    identifier = secrets.token_hex(_ID_BYTES)
    token = ApiToken(identifier, name, ROLES[role], digest(secret), now_us, now_us + ttl_us)
    with registry_of(place) as registry, registry.transaction():
        serving = [one for one in registry.api_tokens() if one.serves(now_us) and not one.local]
        if any(one.name == name for one in serving):
            hint = "`tidegate-cloud api-token revoke` ends it; or choose another name"
            raise OperatorError(tried, "there is one of that name that still serves", hint)
        if len(serving) >= TOKENS_MAX:
            raise OperatorError(tried, f"there are {TOKENS_MAX} already", "revoke one first")
        registry.add_api_token(token, ACTOR)
    if as_json:
        click.echo(json.dumps(_as_json(token, now_us) | {"token": secret}))
        return
    until = shown_time(token.expires_us)
    click.echo(f"{name} may do what {role}s may, until {until}; it is the next line:", err=True)
    click.echo(secret)


@command.command("list")
@click.option("--all", "with_ended", is_flag=True, help="Expired and revoked ones as well.")
@_JSON
@click.pass_obj
def list_tokens(place: Place, with_ended: bool, as_json: bool) -> None:
    """List the tokens, newest first; what they open is not kept."""
    now_us = time.time_ns() // 1000
    with registry_of(place) as registry:
        tokens = [one for one in registry.api_tokens() if not one.local]
    tokens = [one for one in tokens if with_ended or one.serves(now_us)]
    if as_json:
        click.echo(json.dumps([_as_json(one, now_us) for one in tokens]))
        return
    for one in tokens:
        used = f"used {shown_time(one.used_us)}" if one.used_us else "never used"
        state = f"{_state(one, now_us)} {shown_time(one.revoked_us or one.expires_us)}"
        click.echo(f"{one.id}  {one.name:24}  {one.role.word:8}  {state}  {used}")
    if not tokens:
        click.echo("there is no token", err=True)


@command.command()
@click.argument("id_or_name")
@_JSON
@click.pass_obj
def revoke(place: Place, id_or_name: str, as_json: bool) -> None:
    """Let the token of this id or name open nothing from now on."""
    now_us = time.time_ns() // 1000
    with registry_of(place) as registry, registry.transaction():
        known = [one for one in registry.api_tokens() if one.serves(now_us) and not one.local]
        tokens = [one for one in known if id_or_name in (one.id, one.name)]
        if not tokens:
            hint = "`tidegate-cloud api-token list` shows all"
            raise OperatorError(f"revoke the API token {id_or_name!r}", "none that serves", hint)
        registry.revoke_api_tokens(tokens, ACTOR, now_us)
    told = [_as_json(one, now_us) | {"state": "revoked"} for one in tokens]
    click.echo(json.dumps(told) if as_json else f"{len(tokens)} revoked")


def _state(token: ApiToken, now_us: int) -> str:
    if token.revoked_us is not None:
        return "revoked"
    return "serves until" if token.serves(now_us) else "expired"


def _as_json(token: ApiToken, now_us: int) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role.word,
        "state": "serves" if token.serves(now_us) else _state(token, now_us),
        "created": token.created_us,
        "expires": token.expires_us,
        "revoked": token.revoked_us,
        "used": token.used_us or None,
    }
