"""`tidegate-cloud retention`: what of history is past its age, and that it goes."""

import json
import time

import click

from cloud.commands.disk import disk_told
from cloud.commands.verify import shown_progress
from cloud.config import load
from protos.console import Place
from protos.shown import printable


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count what would go; beside a running cloud.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def command(place: Place, dry_run: bool, as_json: bool) -> None:
    """Remove what the sections [retention.NAME] say, at once, while the cloud is stopped.

    A running cloud does it by itself, a file at a time.
    """
    config = load(place.home)

    from cloud.retention.preview import carry_out, check_stopped, preview
    from cloud.retention.rules import Rules

    rules, now_us = Rules.of(config.settings.retention), time.time_ns() // 1000
    if not dry_run:
        check_stopped(config.lake_folder)
    tried = f"remove old history from the lake {config.lake_folder}"
    with shown_progress() as told_of, disk_told(tried):
        found = preview(config.lake_folder, rules, now_us, told_of)
        if not dry_run:
            carry_out(config.lake_folder, rules, now_us, found.due, told_of)
    told = found.as_json(rules)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **told}))
        return
    verb = "would leave" if dry_run else "left"
    for rule in told["rules"]:
        what = f"{rule['readings']:,} readings, {rule['rollup_rows']:,} rows of rollups {verb}"
        of = f"{rule['name']}  {rule['series']}"
        click.echo(f"{of}: decides of {rule['series_decided']:,} series; {what}")
        if rule["nearest"]:
            near = printable(rule["nearest"])
            click.echo(f"    no series has a name like that; the nearest is {near}", err=True)
    if not told["rules"]:
        click.echo("no section [retention.NAME] in the settings: everything is kept", err=True)
    click.echo(f"{told['removed_before']:,} readings were removed before")
