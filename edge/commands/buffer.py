"""`tidegate-edge buffer`: what waits for the cloud, whether it is whole, a copy of it, its way out.

Exit codes: 0 done and whole · 2 settings, key or file · 3 no agent, or not drained in time ·
5 damage was found, or the buffer cannot be read.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from edge.config import EdgeConfig, load
from edge.control import ask
from edge.errors import StorageError, UnreachableError
from edge.health import Health
from edge.health_text import size
from protos.console import Place

if TYPE_CHECKING:
    from edge.chunk import BufferStats
    from edge.store.inspection import Inspection

DAY_S: Final = 86_400.0
POLL_S: Final = 0.5


class Standing(msgspec.Struct, kw_only=True):
    """What `buffer stats` tells; ``days_left`` is None while the rate is not known.

    ``bytes`` are the room taken of ``bytes_max``, the same whether an agent runs or not.
    """

    gateway: str
    running: bool
    rows: int
    blocks: int
    bytes: int
    bytes_max: int
    days_left: float | None
    evicted: int
    gaps: int
    quarantined: int
    when_full: str


@click.group()
def command() -> None:
    """What waits for the cloud: how much, for how long, whether it is whole."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def stats(place: Place, as_json: bool) -> None:
    """How full the buffer is, and for how many days it lasts at the present rate."""
    config = load(place.home)
    try:
        told = _by_agent(
            config, msgspec.json.decode(ask(config.control_path, "status"), type=Health)
        )
    except UnreachableError:
        told = _by_disk(config)
    if as_json:
        click.echo(msgspec.json.encode(told))
    else:
        click.echo("\n".join(_lines(told)))


def _by_agent(config: EdgeConfig, health: Health) -> Standing:
    buffer = health.buffer
    return Standing(
        gateway=health.gateway,
        running=True,
        rows=buffer.rows,
        blocks=buffer.blocks,
        bytes=buffer.used_bytes,
        bytes_max=buffer.bytes_max,
        days_left=buffer.days_left,
        evicted=buffer.evicted,
        gaps=buffer.counters.get("gaps", 0),
        quarantined=buffer.quarantined,
        when_full=config.settings.buffer.when_full.value,
    )


def _by_disk(config: EdgeConfig) -> Standing:
    with inspection(config) as look:
        held = look.holding()
    most = config.settings.buffer.bytes_max
    days = None
    if held.rows_per_s > 0 and held.rows:
        row_bytes = held.used_bytes / held.rows
        days = max(most - held.used_bytes, 0) / (row_bytes * held.rows_per_s * DAY_S)
    return Standing(
        gateway=config.name,
        running=False,
        rows=held.rows,
        blocks=held.blocks,
        bytes=held.used_bytes,
        bytes_max=most,
        days_left=days,
        evicted=held.counters.get("evicted", 0),
        gaps=held.counters.get("gaps", 0),
        quarantined=held.quarantined,
        when_full=config.settings.buffer.when_full.value,
    )


def _lines(told: Standing) -> Iterator[str]:
    source = "as the agent tells" if told.running else "as the file tells; no agent is running"
    yield f"buffer   {told.rows:,} rows wait for the cloud, {told.blocks:,} blocks ({source})"
    share = told.bytes / told.bytes_max
    yield f"room     {size(told.bytes)} of {size(told.bytes_max)} ({share:.0%})"
    if told.days_left is None:
        yield "left     not known yet: too little was taken in to tell the rate"
    else:
        yield f"left     {told.days_left:,.1f} days at the present rate, if the cloud went away now"
    full = (
        "messages wait at the broker" if told.when_full == "reject" else "the oldest go, with a Gap"
    )
    yield f"full     {told.when_full}: {full}"
    if told.evicted:
        yield f"lost     {told.evicted:,} rows left because it was full, in {told.gaps:,} gaps"
    if told.quarantined:
        yield f"damaged  {told.quarantined:,} rows are in quarantine"


@contextmanager
def inspection(config: EdgeConfig) -> "Iterator[Inspection]":
    """The closed buffer of a home, opened to be looked at."""
    from edge.agent_parts import store_limits
    from edge.keys import find_key
    from edge.store.inspection import Inspection

    keys = find_key(config.buffer_key_path, os.environ)
    with Inspection.of(
        config.buffer_path, gateway=config.buffer_name, keys=keys, limits=store_limits(config)
    ) as look:
        yield look


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def verify(place: Place, as_json: bool) -> int:
    """Check the seal of every row and the chain of blocks, and name what is damaged.

    The agent must be stopped; nothing is changed. Ends with 5 when damage is found.
    """
    with inspection(load(place.home)) as look:
        held = look.holding()
        found = list(look.damage())
    whole = not found
    if as_json:
        told = {"whole": whole, "chunks": held.chunks, "blocks": held.blocks, "damage": found}
        click.echo(msgspec.json.encode(told))
        return 0 if whole else StorageError.exit_code
    for damage in found:
        lost = f", {damage.rows:,} rows" if damage.rows else ""
        click.echo(f"damaged  {damage.name}{lost}: {damage.reason}")
    click.echo(
        f"{'whole' if whole else 'DAMAGED'}: {held.chunks:,} chunks with {held.rows:,} rows, "
        f"{held.blocks:,} blocks, {len(found):,} damaged; {held.quarantined:,} set aside before"
    )
    if not whole:
        click.echo("the agent sets damaged rows aside at its next start and goes on with the rest")
    return 0 if whole else StorageError.exit_code


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    help="[default: csv for a FILE that ends so, else jsonl]",
)
@click.option("--json", "as_json", is_flag=True, help="Tell the counts as one JSON object.")
@click.pass_obj
def export(place: Place, file: Path, form: str | None, as_json: bool) -> int:
    """Write the readings that wait for the cloud to FILE (`-`: standard output).

    The agent must be stopped; nothing is changed, and FILE may not exist yet. Counts and what could
    not be read are told on standard error, and then it ends with 5.
    """
    from edge.commands.buffer_export import write

    chosen = form or ("csv" if file.suffix == ".csv" else "jsonl")
    with inspection(load(place.home)) as look:
        done = write(look, file, chosen)
    if as_json:
        click.echo(msgspec.json.encode(done), err=True)
    else:
        click.echo(f"{done.readings:,} readings of {done.chunks:,} chunks", err=True)
        for name in done.unreadable:
            click.echo(f"could not be read: {name}", err=True)
    return StorageError.exit_code if done.unreadable else 0


@command.command()
@click.option("--timeout", "timeout_s", type=float, default=0.0, help="Seconds; 0: no end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def drain(place: Place, timeout_s: float, as_json: bool) -> None:
    """Wait until all that is in the buffer now is archived in the cloud.

    What comes in meanwhile is not waited for. Ends with 3 when no agent runs, or not in time.
    """
    config = load(place.home)
    began = now = _stats(config)
    end = time.monotonic() + timeout_s if timeout_s > 0 else float("inf")
    span = max(began.next_chunk - began.oldest_chunk, 0)
    with click.progressbar(length=span, label="archived", show_eta=True, hidden=as_json) as bar:
        while now.oldest_chunk < began.next_chunk and now.unsealed_rows + now.sealed_rows:
            if time.monotonic() > end:
                cause = f"{now.unsealed_rows + now.sealed_rows:,} rows still wait"
                hint = "`tidegate-edge status` tells how the cloud answers"
                raise UnreachableError("drain the buffer in time", cause, hint)
            time.sleep(POLL_S)
            before, now = now, _stats(config)
            bar.update(max(min(now.oldest_chunk, began.next_chunk) - before.oldest_chunk, 0))
        bar.update(max(span - bar.pos, 0))
    told = {"drained": True, "rows_since": now.unsealed_rows + now.sealed_rows}
    click.echo(msgspec.json.encode(told) if as_json else "all that was in it is archived")


def _stats(config: EdgeConfig) -> "BufferStats":
    from edge.chunk import BufferStats

    return msgspec.json.decode(ask(config.control_path, "buffer"), type=BufferStats)
