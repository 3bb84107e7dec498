"""`tidegate-cloud model rollback`: a rollout taken back."""

import getpass
import json
from contextlib import closing

import click

from cloud.commands.models.publish import rollouts_of
from cloud.commands.models.rollout import line, told
from cloud.config import load
from cloud.registry.registry import Registry
from protos.console import Place


@click.command()
@click.argument("which")
@click.option("--why", default="", help="The reason, as the page and the audit tell it.")
@click.option("--author", default=getpass.getuser, show_default="you", help="Who says so.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
@click.pass_obj
def command(place: Place, which: str, why: str, author: str, as_json: bool) -> None:
    """Take the rollout WHICH (its number, or a model's name) back, wherever it stands.

    Its gateways go back to the good model before it, or to their own. May be used beside a running
    cloud, which looks every five seconds.
    """
    config = load(place.home)
    with closing(Registry.open(config.registry_path)) as registry:
        one = rollouts_of(config, registry).back(which, author, why)
    click.echo(json.dumps(told(one, [])) if as_json else line(one, []))
