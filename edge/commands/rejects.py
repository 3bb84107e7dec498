"""`tidegate-edge rejects`: the messages that could not be read, and why."""

import click
import msgspec

from edge.config import load
from edge.control import ask
from edge.rejected import SHOWN_MAX, Rejected
from protos.console import Place
from protos.shown import shown_time


@click.command()
@click.option(
    "--limit",
    type=click.IntRange(1, SHOWN_MAX),
    default=20,
    show_default=True,
    help="How many of the newest.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for machines.")
@click.pass_obj
def command(place: Place, limit: int, as_json: bool) -> None:
    """List the newest messages that could not be read, newest first (asks the running agent)."""
    config = load(place.home)
    answer = ask(config.control_path, "rejects")
    rejects = msgspec.json.decode(answer, type=list[Rejected])[:limit]
    for one in rejects:
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        more = "…" if one.cut else ""
        click.echo(f"{shown_time(one.at)}  {click.style(one.topic, bold=True)}")
        click.echo(f"    {click.style(one.reason, fg='red')}")
        click.echo(f"    {one.payload}{more}" if one.payload else "    (no payload)")
    if not rejects and not as_json:
        click.echo("every message so far could be read", err=True)
