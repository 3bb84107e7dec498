"""`tidegate-cloud gateways`: who is enrolled, when they were last heard; revoke, pardon."""

import dataclasses
import json
import time
from datetime import UTC, datetime

import click

from cloud.config import load
from cloud.errors import OperatorError
from cloud.registry.registry import GatewayRow, Registry
from protos.console import Place
from protos.shown import printable


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for machines.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List gateways (from the registry, whether the cloud runs or not)."""
    if ctx.invoked_subcommand is not None:
        return
    place = ctx.ensure_object(Place)
    config = load(place.home)
    rows = Registry.open(config.registry_path, config.certificate_life_us).gateways()
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(row) for row in rows]))
        return
    if not rows:
        click.echo("no gateway is enrolled yet: `tidegate-cloud token create NAME`", err=True)
    now_us = time.time_ns() // 1000
    for row in rows:
        click.echo(_line(row, now_us))


@command.command()
@click.argument("name")
@click.option("--why", default="by the operator", show_default=True, help="For the audit trail.")
@click.pass_obj
def revoke(place: Place, name: str, why: str) -> None:
    """Revoke every certificate and unused token of the gateway NAME; its history stays."""
    registry = Registry.open(load(place.home).registry_path)
    now_us = time.time_ns() // 1000
    if name not in {row.name for row in registry.gateways()}:
        hint = "`tidegate-cloud gateways` lists all"
        raise OperatorError(f"revoke the gateway {name!r}", "it is not enrolled here", hint)
    with registry.transaction():
        count = registry.revoke_gateway(name, now_us, why)
        registry.revoke_tokens(name, now_us)
        registry.audit(now_us, "gateway revoke", name, "command line", why)
    click.echo(f"{count} certificates revoked; {name} may not open another session")


@command.command()
@click.argument("name")
@click.pass_obj
def renew(place: Place, name: str) -> None:
    """Ask the gateway NAME for a new key and certificate, at once or when it next connects."""
    registry = Registry.open(load(place.home).registry_path)
    now_us = time.time_ns() // 1000
    if name not in {row.name for row in registry.gateways() if row.certificate_not_after_us}:
        hint = "`tidegate-cloud gateways` lists all; one without a certificate is to be enrolled"
        raise OperatorError(f"renew the gateway {name!r}", "it has no certificate here", hint)
    with registry.transaction():
        registry.ask_renewal(name, now_us)
        registry.audit(now_us, "gateway renew", name, "command line", "asked for")
    click.echo(f"{name} renews its certificate as soon as it is connected")


@command.command()
@click.argument("name")
@click.pass_obj
def pardon(place: Place, name: str) -> None:
    """Settle a fork of the gateway NAME, once its copy is stopped or both streams are to be kept.

    At its next connection the gateway gets a new epoch and sends all that this cloud does not hold.
    """
    from contextlib import closing

    from cloud.journal.sqlite.quarantine import Quarantine

    config = load(place.home)
    now_us = time.time_ns() // 1000
    with closing(Registry.open(config.registry_path)) as registry:
        if name not in {row.name for row in registry.gateways()}:
            hint = "`tidegate-cloud gateways` lists all"
            raise OperatorError(f"pardon the gateway {name!r}", "it is not enrolled here", hint)
        if not config.journal_folder.is_dir():
            cause, hint = "this cloud never ran", "it has no fork to settle"
            raise OperatorError(f"pardon the gateway {name!r}", cause, hint)
        with closing(Quarantine(config.journal_folder / "quarantine.db")) as apart:
            apart.ask_pardon(name, now_us)
        registry.audit(now_us, "gateway pardon", name, "command line", "asked of the journal")
    click.echo(f"{name} is pardoned within seconds, or when the cloud is started")


def _line(row: GatewayRow, now_us: int) -> str:
    heard = f"heard {_ago(now_us - row.last_seen_us)} ago" if row.last_seen_us else "never heard"
    end = row.certificate_not_after_us
    identity = f"certificate until {_day(end)}, {_left(end - now_us)}" if end else "REVOKED"
    identity += f", renewed {_day(row.renewed_us)}" if row.renewed_us else ""
    identity += ", renewal asked for" if row.renewal_asked_us else ""
    backlog = int(str(row.status.get("backlog_rows", 0)))  # protobuf's JSON writes int64 as text
    waiting = f", {backlog:,} rows waiting there" if backlog else ""
    return f"{printable(row.name):24}  {heard:20}  {identity}{waiting}"


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d")


def _left(left_us: int) -> str:
    days = left_us // 86_400_000_000
    return f"{days:,} days left" if days >= 0 else f"past its life by {-days:,} days"


def _ago(past_us: int) -> str:
    seconds = max(0, past_us) // 1_000_000
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
