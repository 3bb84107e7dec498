"""`tidegate-cloud backup`: the whole cloud into a folder, while it runs."""

import time
from pathlib import Path

import click

from cloud.config import load
from protos.console import Place


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def command(place: Place, folder: Path) -> None:
    """Copy the cloud into the new FOLDER; beside a running cloud or without one.

    It holds the certificate authority's key: keep it as you keep the home.
    """
    config = load(place.home)

    from cloud.backup import take

    manifest = take(config, folder.absolute(), time.time_ns() // 1000, _tell)
    size = sum(file.bytes for file in manifest.files)
    click.echo(f"{folder}: {len(manifest.files):,} files, {size:,} B, lake to {manifest.lake:,}")


def _tell(what: str) -> None:
    click.echo(f"copying {what}", err=True)
