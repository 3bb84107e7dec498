"""`tidegate-cloud consolidate`: the journal into the tables, and days anew from the journal."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click

from cloud.commands.verify import shown_progress
from cloud.config import load
from cloud.errors import OperatorError, StorageError
from protos.console import Place

_DAY = click.DateTime(["%Y-%m-%d"])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@click.command()
@click.option("--from", "first", type=_DAY, help="The first day (UTC) to recompute.")
@click.option("--to", "last", type=_DAY, help="The last day (UTC); it is one of them.")
@click.option("--dry-run", is_flag=True, help="Only tell what would change.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_context
def command(
    ctx: click.Context,
    first: datetime | None,
    last: datetime | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring into the tables what the journal has and they lack, with the cloud stopped.

    With --from, --to or both, days are also recomputed from the journal as far as it is kept: rows
    that the tables lack, have too often or have otherwise are put right. What the journal does not
    keep any more is never touched.

    --dry-run reads only, beside a running cloud too; with days it ends with 5 when something
    differs.
    """
    config = load(ctx.ensure_object(Place).home)
    if first is not None and last is not None and last < first:
        hint = "both are days, as 2026-01-31"
        raise OperatorError("recompute days", f"--to {last:%F} is before --from {first:%F}", hint)

    from cloud.lake.passes import carry_over, waiting
    from cloud.recompute.days import EVER_US, look_at, recompute
    from cloud.recompute.outcome import Outcome

    days = (-EVER_US if first is None else _us(first), EVER_US if last is None else _us(last, 1))
    folders = (config.journal_folder, config.lake_folder)
    with shown_progress() as told_of, disk_told(f"consolidate {config.home}"):
        passed = waiting(config) if dry_run else carry_over(config, told_of)
        outcome = Outcome(dry_run, passed.blocks, passed.readings, passed.quarantined)
        if first is not None or last is not None:
            act = look_at if dry_run else recompute
            outcome.recomputed = act(*folders, days, told_of)
    click.echo(json.dumps(outcome.as_json()) if as_json else "\n".join(outcome.lines()))
    if dry_run and outcome.recomputed is not None and not outcome.recomputed.is_same:
        ctx.exit(StorageError.exit_code)


@contextmanager
def disk_told(tried: str) -> Iterator[None]:
    """What a disk refuses, as the operator's to mend: what was begun is finished by the next."""
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (OSError, DeltaError) as error:
        hint = "make room on the disk, or mend it, and run this again"
        raise StorageError(tried, str(error), hint) from error


def _us(day: datetime, after: int = 0) -> int:
    """The beginning of a day, or of so many ``after`` it, in µs UTC."""
    past = day.replace(tzinfo=UTC) - _EPOCH
    return (past.days + after) * (timedelta(days=1) // timedelta(microseconds=1))
