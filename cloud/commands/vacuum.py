"""`tidegate-cloud vacuum`: files of the lake that no table names."""

import json
import time

import click

from cloud.commands.disk import disk_told
from cloud.config import load
from protos.console import Place


@click.command()
@click.option("--dry-run", is_flag=True, help="Only list them; beside a running cloud.")
@click.option(
    "--older",
    "older_hours",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Hours since the last write: other programs may still read what was just replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def command(place: Place, dry_run: bool, older_hours: float, as_json: bool) -> None:
    """Remove files that a process left when it died, while the cloud is stopped.

    A cloud that starts does it by itself, and removes what it replaces a minute later.
    """
    config = load(place.home)

    from cloud.lake.vacuum import orphans, vacuum

    act = orphans if dry_run else vacuum
    with disk_told(f"remove files from the lake {config.lake_folder}"):
        found = act(config.lake_folder, older_hours * 3600, time.time())
    size = sum(one.bytes for one in found)
    if as_json:
        files = [{"path": str(one.path), "bytes": one.bytes, "age_s": one.age_s} for one in found]
        click.echo(json.dumps({"dry_run": dry_run, "bytes": size, "files": files}))
        return
    for one in found:
        click.echo(f"{one.path.relative_to(config.lake_folder)}  {one.bytes:,} bytes")
    verb = "would go" if dry_run else "removed"
    click.echo(f"{len(found):,} files, {size:,} bytes {verb}")
