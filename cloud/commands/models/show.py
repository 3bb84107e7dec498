"""`tidegate-cloud model show`: what one package says of itself, and who signed it."""

import json
from typing import Any

import click
import msgspec

from cloud.commands.models.package import package_of
from cloud.config import load
from protos.console import Place
from protos.model import canonical_bytes
from protos.model_key import public_line
from protos.shown import printable


@click.command()
@click.argument("model", metavar="NAME[@VERSION]|FILE")
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
@click.pass_obj
def command(place: Place, model: str, as_json: bool) -> None:
    """Show the manifest of a model on the shelf (its highest version, unless told), or of a file.

    Its parts are held to each other as they are read; whether a gateway trusts the key that signed
    it is the gateway's to say.
    """
    package = package_of(load(place.home), model)
    if as_json:
        told: dict[str, Any] = {
            **msgspec.to_builtins(package.manifest),
            "graph_bytes": len(package.graph),
            "key": package.key_id,
            "signer": public_line(package.signer),
        }
        click.echo(json.dumps(told))
        return
    for line in canonical_bytes(package.manifest).decode().splitlines():
        click.echo(printable(line))
    click.echo("")
    click.echo(f"graph of {len(package.graph):,} bytes, signed by {package.key_id}")
    click.echo(f"    {public_line(package.signer)}")
