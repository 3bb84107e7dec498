"""`tidegate-cloud restore`: a backup made a cloud again."""

import time
from pathlib import Path

import click

from protos.console import Place


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def command(place: Place, folder: Path) -> None:
    """Make the home (--home, which must be empty) the cloud that was backed up into FOLDER."""
    from cloud.restore import restore

    def tell(what: str) -> None:
        click.echo(f"restoring {what}", err=True)

    generation = restore(folder.absolute(), place.home, time.time_ns() // 1000, tell)
    click.echo(f"{place.home} is a cloud again, generation {generation}")
    click.echo("next:    tidegate-cloud verify\nthen:    tidegate-cloud serve")
