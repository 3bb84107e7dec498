"""`tidegate-cloud model publish`: a model that may be rolled out."""

import getpass
import json
import time
from contextlib import closing
from pathlib import Path

import click

from cloud.config import CloudConfig, load
from cloud.errors import OperatorError
from cloud.models.shelf import Shelf
from cloud.registry.registry import Registry
from cloud.rollout.rollouts import Rollouts
from protos.console import Place
from protos.model import PACKAGE_BYTES_MAX, SUFFIX, PackageError
from protos.shown import printable


@click.command()
@click.argument("model")
@click.option("--author", default=getpass.getuser, show_default="you", help="Who publishes it.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
@click.pass_obj
def command(place: Place, model: str, author: str, as_json: bool) -> None:
    """Let MODEL be rolled out: NAME (its highest version) or NAME@VERSION of the shelf.

    MODEL may be a package's file, FILE.tgm: it is put on the shelf first. May be used beside a
    running cloud.
    """
    config = load(place.home)
    shelf = Shelf(config.models_folder)
    if model.endswith(SUFFIX):
        name, version = _put(shelf, Path(model))
    else:
        name, _, version = model.partition("@")
        version = version or shelf.newest(name).version
    with closing(Registry.open(config.registry_path)) as registry:
        row = rollouts_of(config, registry).publish(name, version, author)
    if as_json:
        told = {"name": row.name, "version": row.version, "sha256": row.sha256, "bytes": row.size}
        click.echo(json.dumps(told))
        return
    said = f"{row.name} {row.version} is published: {row.size:,} bytes, SHA-256 {row.sha256}"
    click.echo(printable(said))


def rollouts_of(config: CloudConfig, registry: Registry) -> Rollouts:
    """The rollouts of a cloud's home, whether the cloud runs or not."""
    return Rollouts(registry, Shelf(config.models_folder), lambda: time.time_ns() // 1000)


def _put(shelf: Shelf, path: Path) -> tuple[str, str]:
    tried = f"publish the package {path}"
    try:
        with path.open("rb") as file:
            entry = shelf.put(file.read(PACKAGE_BYTES_MAX + 1))
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise OperatorError(tried, cause, "name a file that can be read") from error
    except PackageError as error:
        raise OperatorError(tried, error.why, error.hint) from error
    return entry.name, entry.version
