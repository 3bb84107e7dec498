"""`tidegate-cloud model train`: a model made from history, proved, signed and put on the shelf."""

import json
from pathlib import Path
from typing import Any

import click

from cloud.commands.models.choice import choice_of, choice_options, time_of
from cloud.commands.models.package import key_of, packages_told
from cloud.commands.verify import shown_progress
from cloud.config import load
from protos.console import Place
from protos.model import write_package
from protos.model_key import public_line, public_of
from protos.shown import printable

_WAYS = ("predictor", "pattern", "fault", "channels")
_OF_WAY = {
    "predictor": ("lags", "season", "ridge"),
    "pattern": ("window", "kept"),
    "fault": ("window", "ridge", "seed"),
    "channels": ("window", "sample_s", "gap_s", "horizon"),
}


@click.command()
@click.argument("name")
@click.option("--way", type=click.Choice(_WAYS), default="predictor", show_default=True,
    help="Learn what a past foretells, shapes that repeat, a fault, or channels.")  # fmt: skip
@choice_options
@click.option("--version", help="Numbers with dots. [default: 1, or behind the highest there is]")
@click.option("--fault", "words", default="", help="Only occurrences whose note says this.")
@click.option("--rate", type=float, default=1.0, show_default=True,
    help="False alarms for each series and week that the threshold is set for.")  # fmt: skip
@click.option("--adaptive", is_flag=True,
    help="Let gateways learn the threshold, beginning with this one.")  # fmt: skip
@click.option(
    "--window", type=int, help="Of shapes, faults, channels: readings. [default: by data]"
)
@click.option("--lags", type=int, help="Of a predictor: past values. [default: 16]")
@click.option("--season", type=int,
    help="Of a predictor: readings until it repeats, 0: never. [default: by the data]")  # fmt: skip
@click.option("--ridge", type=float, help="What holds weights back. [default: by the way]")
@click.option("--kept", type=float, help="Of shapes: share of variance kept. [default: 0.95]")
@click.option("--seed", type=int, help="Of a fault: what draws normal windows. [default: 0]")
@click.option("--channel", "channels", multiple=True,
    help="Of channels: a metric of the device; in order, two at least.")  # fmt: skip
@click.option("--sample-s", type=float, help="Of channels: seconds a frame. [default: by the data]")
@click.option(
    "--gap-s", type=float, help="Of channels: how long each keeps its value. [default: 5 frames]"
)
@click.option("--horizon", type=float,
    help="Of channels: trained times that it shall hold for. [default: 2]")  # fmt: skip
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False),
    help="Sign with this. [default: model.key in the home, made when there is none]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
@click.pass_obj
def command(place: Place, /, name: str, way: str, **said: Any) -> None:
    """Make the model NAME from history of the running cloud, and put it on the shelf.

    Left out of training is what marks say was fault, maintenance or bad data, and every episode
    that somebody confirmed; a dismissed one counts as normal. With --way fault, confirmed episodes
    and fault marks are what is learned, two at least, and dismissed ones what it is told from. The
    newest fifth of the normal fits nothing: it sets the threshold, and on it the exported graph
    must give what was fitted.
    """
    from cloud.client.training import TrainingApi
    from cloud.models.shelf import Shelf
    from cloud.models.train import Order, Way, train
    from protos.model import CalibrationKind

    if way == "channels" and not said["metric"]:
        said["metric"] = said["channels"]
    config = load(place.home)
    shelf = Shelf(config.models_folder)
    order = Order(
        name, said["version"] or shelf.next_version(name), Way(way), choice_of(said),
        time_of(said["from_"], "--from"), time_of(said["to"], "--to"), said["rate"],
        CalibrationKind.ADAPTIVE if said["adaptive"] else CalibrationKind.FIXED,
        said["words"], _settings(way, said),
    )  # fmt: skip
    with packages_told(), shown_progress() as told:
        order.check()
        key, is_new = key_of(config, said["key"])
        made = train(TrainingApi.of(config), order, told)
        entry = shelf.put(write_package(made.manifest, made.graph, key))
    if said["as_json"]:
        click.echo(json.dumps({**made.told(), "file": str(entry.path), "sha256": entry.sha256}))
        return
    for line in made.lines():
        click.echo(printable(line))
    click.echo(f"kept as {entry.path}, {entry.bytes:,} bytes")
    if is_new:
        click.echo(f"signed by a new key; gateways trust it by {public_line(public_of(key))}")


def _settings(way: str, said: dict[str, Any]) -> Any:
    """The settings of this way; what is said of another is refused."""
    from cloud.models.channels import ChannelSettings
    from cloud.models.fault import FaultSettings
    from cloud.models.pattern import PatternSettings
    from cloud.models.pca import PcaSettings
    from cloud.models.predictor import PredictorSettings

    names = {name for each in _OF_WAY.values() for name in each}
    given = {name: said[name] for name in names if said[name] is not None}
    for name in sorted(set(given) - set(_OF_WAY[way])):
        ways = " and ".join(each for each, mine in _OF_WAY.items() if name in mine)
        raise click.UsageError(f"--{name.replace('_', '-')} is of --way {ways}, not of {way}")
    if said["channels"] and way != "channels":
        raise click.UsageError(f"--channel is of --way channels, not of {way}")
    if said["words"] and way != "fault":
        raise click.UsageError(f"--fault is of --way fault, not of {way}")
    if way == "fault":
        if said["adaptive"]:
            raise click.UsageError("--adaptive is not of --way fault: a fault sets its own")
        return FaultSettings(rate=said["rate"], **given)
    if way == "channels":
        frames = {name: given.pop(name) for name in ("sample_s", "gap_s") if name in given}
        return ChannelSettings(said["channels"], **frames, pca=PcaSettings(**given))
    return PredictorSettings(**given) if way == "predictor" else PatternSettings(**given)
