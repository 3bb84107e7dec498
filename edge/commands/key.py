"""`tidegate-edge key`: the key that the buffer is sealed with."""

import os

import click
import msgspec

from edge.config import load
from protos.console import Place


@click.group()
def command() -> None:
    """The key that the buffer is sealed with."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def rotate(place: Place, as_json: bool) -> None:
    """Seal the buffer's data key under a new random key; the old one opens it no more.

    The agent must be stopped. No reading is rewritten. A kill at any moment does no harm: the next
    start finishes what was begun. Exit codes: 0 done, 2 the key cannot be rotated here, 5 the
    buffer is in use or its disk fails.
    """
    from edge.agent_parts import store_limits
    from edge.keys import find_key
    from edge.store.rotate import rotate as rotate_key

    config = load(place.home)
    keys = find_key(config.buffer_key_path, os.environ)
    new = rotate_key(
        config.buffer_path, gateway=config.buffer_name, keys=keys, limits=store_limits(config)
    )
    if as_json:
        click.echo(msgspec.json.encode({"key": str(keys.path), "id": new.hex()}))
        return
    click.echo(f"key      {keys.path}, id {new.hex()}")
    click.echo("         the old key opens this buffer no more; an older copy of buffer.db it does")
