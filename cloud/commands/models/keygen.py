"""`tidegate-cloud model keygen`: the key that this cloud signs models with."""

import json

import click

from cloud.commands.models.package import key_of
from cloud.config import load
from protos.console import Place
from protos.model_key import key_id, public_line, public_of


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
@click.pass_obj
def command(place: Place, as_json: bool) -> None:
    """Make this cloud's model key if there is none, and tell its public line.

    The line goes into `models.keys` of a gateway's settings; the key itself, `model.key` in the
    home, never leaves it: whoever has it decides what those gateways run.
    """
    config = load(place.home)
    key, is_new = key_of(config, None)
    public = public_of(key)
    if as_json:
        told = {"key": key_id(public), "public": public_line(public), "made": is_new}
        click.echo(json.dumps(told))
        return
    click.echo(f"key      {key_id(public)}, {'made just now' if is_new else 'made before'}")
    click.echo(f"public   {public_line(public)}")
