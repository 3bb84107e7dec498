"""`tidegate-cloud quarantine`: blocks set apart; what they are, and what becomes of them."""

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from cloud.config import CloudConfig, load
from cloud.errors import OperatorError
from cloud.journal.sqlite.quarantine import Quarantine, Quarantined, State
from cloud.registry.registry import Registry
from protos.console import Place


@click.group()
def command() -> None:
    """List blocks set apart; show, release or discard one. May be used beside a running cloud."""


@command.command("list")
@click.option("--all", "with_settled", is_flag=True, help="Released and discarded ones as well.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for machines.")
@click.pass_obj
def list_blocks(place: Place, with_settled: bool, as_json: bool) -> None:
    """List the blocks that are held, by the name that the other verbs take."""
    with _quarantine(load(place.home)) as quarantine:
        blocks = quarantine.list()
    settled = () if with_settled else (State.RELEASED, State.DISCARDED)
    blocks = [block for block in blocks if block.state not in settled]
    if as_json:
        click.echo(json.dumps([_as_json(block) for block in blocks]))
        return
    if not blocks:
        click.echo("no block is set apart", err=True)
    for block in blocks:
        click.echo(_line(block))


@command.command()
@click.argument("name")
@click.pass_obj
def show(place: Place, name: str) -> None:
    """Show all that is known of the block NAME, as JSON."""
    from protos.block import MalformedBlock, read_header

    with _quarantine(load(place.home)) as quarantine:
        block = _find(quarantine, name)
        data = quarantine.data(block)
    told = {**_as_json(block), "kept": data is not None}
    if data is not None:
        try:
            header, _ = read_header(data)
            told["rows"] = {kind.name.lower(): rows for kind, rows in header.rows.items()}
            told["ts_min"], told["ts_max"] = header.ts_min_us, header.ts_max_us
            told["boot_id"] = header.boot_id.hex()
        except MalformedBlock as error:
            told["header"] = f"cannot be read: {error}"
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


@command.command()
@click.argument("name")
@click.pass_obj
def release(place: Place, name: str) -> None:
    """Have the lake try the block NAME again; it is held again if that fails."""
    config = load(place.home)
    with _quarantine(config) as quarantine:
        block = _find(quarantine, name)
        quarantine.release(block)
    _audit(config, "quarantine release", block, "to be tried again")
    click.echo(f"{_name(block)} is tried again at the cloud's next pass; `quarantine list` tells")


@command.command()
@click.argument("name")
@click.option("--why", required=True, help="The reason, as the ledger will tell it.")
@click.pass_obj
def discard(place: Place, name: str, why: str) -> None:
    """Give the block NAME up: its bytes go for good, the ledger counts it with the reason."""
    if not why.strip():
        raise click.BadParameter("say why, the ledger tells it", param_hint="--why")
    config = load(place.home)
    with _quarantine(config) as quarantine:
        block = _find(quarantine, name)
        quarantine.discard(block, time.time_ns() // 1000, why.strip())
    _audit(config, "quarantine discard", block, why.strip())
    click.echo(f"{_name(block)} is discarded: {block.readings} readings, {block.bytes} bytes")


@contextmanager
def _quarantine(config: CloudConfig) -> Iterator[Quarantine]:
    path = config.journal_folder / "quarantine.db"
    if not path.exists():
        hint = "`tidegate-cloud serve` makes it"
        raise OperatorError(f"open the quarantine {path}", "there is none", hint)
    with closing(Quarantine(path)) as quarantine:
        yield quarantine


def _find(quarantine: Quarantine, name: str) -> Quarantined:
    found = [one for one in quarantine.list() if name and one.hash.hex().startswith(name.lower())]
    if len(found) != 1:
        cause = f"{len(found)} blocks have that name" if found else "there is none"
        hint = "`tidegate-cloud quarantine list` names them all"
        raise OperatorError(f"find the block {name!r} in quarantine", cause, hint)
    return found[0]


def _audit(config: CloudConfig, action: str, block: Quarantined, outcome: str) -> None:
    with closing(Registry.open(config.registry_path)) as registry:
        subject = f"{block.gateway} epoch {block.epoch} seq {block.seq} {_name(block)}"
        registry.audit(time.time_ns() // 1000, action, subject, "command line", outcome)


def _name(block: Quarantined) -> str:
    return block.hash.hex()[:12]


def _as_json(block: Quarantined) -> dict[str, Any]:
    told = dataclasses.asdict(block)
    names = {"cause": block.cause.name.lower(), "state": block.state.name.lower()}
    return {"name": _name(block), **told, "hash": block.hash.hex(), **names}


def _line(block: Quarantined) -> str:
    since = datetime.fromtimestamp(block.since_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
    what = f"{block.readings:,} readings, {block.bytes:,} B"
    tries = f", {block.attempts} attempts" if block.attempts > 1 else ""
    why = f" ({block.why})" if block.why else ""
    state = f"{block.cause.name.lower()}, {block.state.name.lower()}"
    return (
        f"{_name(block)}  {block.gateway}  epoch {block.epoch} seq {block.seq}  {since}  "
        f"{state}{why}{tries}: {block.reason}; {what}"
    )
