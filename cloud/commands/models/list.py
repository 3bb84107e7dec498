"""`tidegate-cloud model list`: the packages on the shelf."""

import json
from typing import Any

import click

from cloud.config import load
from cloud.models.shelf import Entry, Shelf
from protos.console import Place
from protos.shown import printable, shown_time


@click.command()
@click.option("--name", help="Only versions of this model.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
@click.pass_obj
def command(place: Place, name: str | None, as_json: bool) -> None:
    """List the models on the shelf, by name and version."""
    entries, refused = Shelf(load(place.home).models_folder).read()
    entries = [entry for entry in entries if name in (None, entry.name)]
    for error in refused:
        click.echo(printable(str(error)), err=True)
    if as_json:
        click.echo(json.dumps([told(entry) for entry in entries]))
        return
    for entry in entries:
        manifest = entry.manifest
        trained = f"{manifest.trained.rows:,} rows" if manifest.trained else "not trained here"
        click.echo(
            printable(
                f"{entry.name}  {entry.version}  {manifest.takes.value} of {manifest.window}  "
                f"{trained}  {entry.bytes:,} bytes  {shown_time(entry.put_us)}"
            )
        )
    if not entries:
        click.echo("there is no such model; `tidegate-cloud model train` makes one", err=True)


def told(entry: Entry) -> dict[str, Any]:
    """An entry for machines."""
    trained = entry.manifest.trained
    return {
        "name": entry.name,
        "version": entry.version,
        "file": entry.path.name,
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "put": entry.put_us,
        "window": entry.manifest.window,
        "takes": entry.manifest.takes.value,
        "rows": trained.rows if trained else None,
    }
