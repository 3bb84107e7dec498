"""`tidegate-cloud ledger`: what of each gateway was expected, stored, archived, and why not."""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from cloud.client.history import HistoryApi
from cloud.config import load
from cloud.errors import OperatorError, UnreachableError
from protos.console import Place

Row = Mapping[str, Any]


@click.command()
@click.argument("gateway", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for machines.")
@click.pass_obj
def command(place: Place, gateway: str | None, as_json: bool) -> None:
    """Tell what became of GATEWAY's epochs, or of all: of the running cloud, else of its files."""
    found = _rows(place)
    rows = [row for row in found if gateway in (None, row["gateway"])]
    if gateway is not None and not rows:
        near = difflib.get_close_matches(gateway, {row["gateway"] for row in found}, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "`tidegate-cloud ledger` lists all"
        raise OperatorError(f"tell the ledger of {gateway!r}", "it never sent a block", hint)
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo("no gateway ever opened a session", err=True)
    for row in rows:
        _tell(row)


def _rows(place: Place) -> Sequence[Row]:
    config = load(place.home)
    try:
        return HistoryApi.of(config).ledger()
    except UnreachableError:
        from cloud.ledger.account import as_json
        from cloud.ledger.of_files import read_ledger

        return [as_json(row) for row in read_ledger(config.journal_folder, config.lake_folder)]


def _tell(row: Row) -> None:
    epoch = f"epoch {row['epoch']}" if row["epoch"] else "earlier epochs"
    if row.get("generation"):
        epoch += f" of generation {row['generation']}"
    ended = "" if row["open"] else ", ended"
    click.echo(
        f"{row['gateway']}  {epoch}{ended}: {row['expected']:,} blocks expected,"
        f" {row['stored']:,} stored, {row['archived']:,} archived"
    )
    click.echo(
        f"    {row['readings']:,} readings, {row['archived_readings']:,} archived,"
        f" {row['in_lake']:,} in the lake"
    )
    for state in ("quarantined", "discarded"):
        if row[f"{state}_blocks"]:
            what = f"{row[f'{state}_blocks']:,} blocks, {row[f'{state}_readings']:,} readings"
            click.echo(f"    {state}: {what} ({'; '.join(row['reasons'])})")
    if row.get("retired_readings"):
        click.echo(f"    retention: {row['retired_readings']:,} readings removed, past their age")
    if row.get("erased_readings"):
        click.echo(f"    erased: {row['erased_readings']:,} readings, by order")
    if row["forked_blocks"]:
        click.echo(f"    {row['forked_blocks']:,} blocks of another stream kept aside")
    if row["deleted_blocks"]:
        click.echo(
            f"    {row['deleted_blocks']:,} blocks that an earlier journal had archived, that the"
            " gateway then deleted, and that the lake does not hold"
        )
    for reason, lost in row["gaps"].items():
        click.echo(f"    gaps, {reason}: {lost['readings']:,} readings in {lost['records']:,}")
