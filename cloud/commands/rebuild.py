"""`tidegate-cloud rebuild`: the rollups once more, from the readings."""

import click

from cloud.commands.disk import disk_told
from cloud.config import load
from protos.console import Place


@click.command()
@click.pass_obj
def command(place: Place) -> None:
    """Make the rollups anew from the readings, which stay as they are; the cloud must not run."""
    config = load(place.home)

    from cloud.lake.rebuild import rebuild

    with disk_told(f"rebuild the rollups of {config.lake_folder}"):
        done = rebuild(config.lake_folder, lambda what: click.echo(what, err=True))
    gone = f"; {done.unreadable} damaged files were let go of" if done.unreadable else ""
    if done.aged:
        click.echo("days that retention took the readings of keep the rollups they have", err=True)
    click.echo(f"rebuilt: {done.rows:,} rows in the rollups{gone}")
