"""`tidegate-cloud model pack`: anybody's ONNX file as a signed package that gateways take."""

import json
from pathlib import Path
from typing import Any, Final

import click

from cloud.commands.models.package import key_of, packages_told
from cloud.config import load
from cloud.errors import OperatorError
from protos.console import Place
from protos.model import GRAPH_BYTES_MAX, SUFFIX, Manifest, read_package, write_package
from protos.model_key import public_line, public_of
from protos.series import SeriesKind

_PATH = click.Path(path_type=Path, dir_okay=False)
_MEANINGS: Final = ("plain", "negated", "size", "reconstruction")
_KINDS: Final = [kind.name.lower() for kind in SeriesKind]


@click.command()
@click.argument("file", type=_PATH)
@click.option("--name", required=True, help="Small letters, digits and inside it `._-`.")
@click.option("--version", help="Numbers with dots. [default: one above the shelf's newest]")
@click.option("--window", type=int, help="Readings in a window. [default: as its input declares]")
@click.option("--channel", "channels", multiple=True, help="Metric of a frame, in order.")
@click.option("--input", "input_", default="", help="Its input. [default: the only one]")
@click.option("--output", default="", help="Its output. [default: the only one]")
@click.option("--column", type=int, help="Which value of the output, from 0.")
@click.option(
    "--score",
    type=click.Choice(_MEANINGS),
    default="plain",
    show_default=True,
    help="What the output is: strangeness, its opposite, far from zero, the input made anew.",
)
@click.option("--offset", type=float, default=0.0, help="Added to the score.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), default=["gauge"])
@click.option("--device", multiple=True, help="Pattern of devices it is for; may be repeated.")
@click.option("--metric", multiple=True, help="Pattern of metrics; may be repeated.")
@click.option("--unit", multiple=True, help="Unit; may be repeated.")
@click.option("--class", "class_", multiple=True, help="Device class: of the label `class`.")
@click.option("--sample", "sample_s", type=float, default=0.0, help="Step of a frame, seconds.")
@click.option("--gap", "gap_s", type=float, default=0.0, help="Longest silence bridged, seconds.")
@click.option("--threshold", type=float, help="Of the score. [default: learned at the gateway]")
@click.option("--rate", type=float, default=1.0, help="False alarms a series and week, as stated.")
@click.option("--about", default="", help="What the model is.")
@click.option("--means", default="", help="What its score means.")
@click.option("--key", type=_PATH, help="Sign with this. [default: model.key in the home]")
@click.option("--out", type=_PATH, help="Write this file instead of keeping it on the shelf.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
@click.pass_obj
def command(place: Place, /, file: Path, **said: Any) -> None:
    """Wrap the ONNX model FILE so that gateways take it, and sign it.

    Its input may be float32 or float64, `(n, window)` or with more axes of the same size, its
    output of one value a window, of several with --column, or its input made anew. What a gateway
    would refuse is refused here with the same words; `tidegate-edge model check` runs it as well.
    """
    from cloud.models.shelf import Shelf
    from cloud.models.wrap import Mapping, Meaning, window_of, wrap

    config = load(place.home)
    graph, shelf = _read(file), Shelf(config.models_folder)
    mapping = Mapping(
        said["input_"], said["output"], said["column"], Meaning(said["score"]), said["offset"]
    )
    with packages_told():
        window = said["window"] or window_of(graph, mapping, file.name)
        version = said["version"] or shelf.next_version(said["name"])
        manifest = _manifest(said, window, version)
        wrapped = wrap(graph, manifest, mapping, file.name)
        key, is_new = key_of(config, said["key"])
        data = write_package(manifest, wrapped, key)
        path = _written(said["out"], data) if said["out"] else shelf.put(data).path
        told = read_package(data)
    if said["as_json"]:
        click.echo(
            json.dumps(
                {"file": str(path), "label": manifest.label, "window": window, "key": told.key_id,
                 "sha256": told.manifest.sha256, "bytes": len(data)}
            )
        )  # fmt: skip
        return
    click.echo(f"packed   {manifest.label}, windows of {window}, {len(data):,} bytes")
    click.echo(f"file     {path}\nsigned   {told.key_id}")
    if is_new:
        click.echo(f"by a new key; gateways trust it by {public_line(public_of(key))}")


def _manifest(said: dict[str, Any], window: int, version: str) -> Manifest:
    from protos.model import Applies, Calibration, CalibrationKind, Takes

    fixed = said["threshold"] is not None
    return Manifest(
        name=said["name"],
        version=version,
        window=window,
        kinds=tuple(said["kinds"]),
        takes=Takes.FRAME if said["channels"] else Takes.WINDOW,
        channels=said["channels"],
        sample_s=said["sample_s"],
        gap_s=said["gap_s"],
        score=said["means"],
        about=said["about"],
        applies=Applies(
            device=said["device"], metric=said["metric"], unit=said["unit"], class_=said["class_"]
        ),
        calibration=Calibration(
            kind=CalibrationKind.FIXED if fixed else CalibrationKind.ADAPTIVE,
            threshold=said["threshold"] if fixed else 0.0,
            rate=said["rate"],
        ),
    )


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(GRAPH_BYTES_MAX + 1)
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise OperatorError(f"read the ONNX model {file}", cause, "name an ONNX file") from error


def _written(path: Path, data: bytes) -> Path:
    """A new file with the package."""
    tried = f"write the package {path}"
    if path.suffix != SUFFIX:
        raise OperatorError(tried, f"its name does not end in {SUFFIX}", "name it NAME-VERSION.tgm")
    try:
        with path.open("xb") as file:
            file.write(data)
    except OSError as error:
        hint = "name a new file in a folder of yours"
        raise OperatorError(tried, (error.strerror or str(error)).lower(), hint) from error
    return path
