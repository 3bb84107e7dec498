"""`tidegate-edge model`: the models of this gateway, and whether one would be taken."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from edge.config import FILE_NAME, EdgeConfig, load
from edge.errors import OperatorError
from protos.console import Place
from protos.shown import printable

if TYPE_CHECKING:
    from protos.model import Manifest, Package

SHIPPED_WORD: Final = "shipped"
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")


@click.group()
def command() -> None:
    """The models of this gateway, and whether one would be taken."""


@command.command("list")
@_JSON
@click.pass_obj
def list_models(place: Place, as_json: bool) -> None:
    """List the models of the home's folder, or else the shipped ones, without running them.

    `model check` says whether one is taken.
    """
    from edge.agent_detect import trust
    from edge.detect.admission import files
    from edge.detect.models import SHIPPED, ModelRefusedError

    config = load(place.home)
    folder = config.models_folder if files(config.models_folder) else SHIPPED
    keys = trust(config)
    told: list[dict[str, Any]] = []
    for path in files(folder):
        try:
            manifest, package = _read(path)
        except ModelRefusedError as error:
            told.append({"file": str(path), "problem": error.cause})
            continue
        trusted = package.signer in keys.keys if package else manifest.sha256 in keys.hashes
        told.append(
            {
                "file": str(path),
                "name": manifest.name,
                "version": manifest.version,
                "takes": manifest.takes.value,
                "window": manifest.window,
                "signer": package.key_id if package else SHIPPED_WORD,
                "trusted": trusted,
            }
        )
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    for one in told:
        click.echo(printable(_line(one)))
    if not told:
        click.echo(f"there is no model in {folder}: no anomaly is found", err=True)


def _line(one: dict[str, Any]) -> str:
    if "problem" in one:
        return f"{Path(one['file']).name:24}  REFUSED: {one['problem']}"
    label = f"{one['name']}@{one['version']}"
    signer = one["signer"]
    by = "came with Tidegate" if signer == SHIPPED_WORD else f"signed by {signer}"
    trusted = "" if one["trusted"] else ", NOT TRUSTED"
    return f"{label:24}  {one['takes']} of {one['window']:>4}  {by}{trusted}"


@command.command()
@click.argument("model", metavar="FILE|NAME[@VERSION]")
@_JSON
@click.pass_obj
def show(place: Place, model: str, as_json: bool) -> None:
    """Show what a model says of itself, what its graph holds, and who signed it."""
    from edge.detect.models import read_graph
    from protos.model import canonical_bytes
    from protos.model_key import public_line
    from protos.onnx_wire import WireError, read_facts

    path = _path(place, model)
    manifest, package = _read(path)
    graph = package.graph if package else read_graph(path, manifest)
    try:
        facts = read_facts(graph)
    except WireError as error:
        raise OperatorError(f"read the graph of {path}", str(error), "export it again") from error
    signer = public_line(package.signer) if package else SHIPPED_WORD
    opsets = {domain or "ai.onnx": max(versions) for domain, versions in facts.opsets.items()}
    holds = {
        "bytes": len(graph),
        "nodes": facts.nodes,
        "ir_version": facts.ir_version,
        "opsets": opsets,
        "operators": sorted({name for _, name in facts.operators}),
    }
    if as_json:
        manifest_told = msgspec.to_builtins(manifest)
        told = {"file": str(path), "manifest": manifest_told, "graph": holds, "signer": signer}
        click.echo(msgspec.json.encode(told))
        return
    for line in canonical_bytes(manifest).decode().splitlines():
        click.echo(printable(line))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(opsets.items()))
    click.echo(
        f"\ngraph    {len(graph):,} bytes, {facts.nodes:,} nodes, opset {printable(versions)}"
    )
    click.echo(f"signer   {signer}")


@command.command()
@click.argument("model", metavar="FILE|NAME[@VERSION]")
@click.option("--key", "keys", multiple=True, help="Public key (`ed25519:…`) to trust as well.")
@_JSON
@click.pass_obj
def check(place: Place, model: str, keys: tuple[str, ...], as_json: bool) -> None:
    """Check a model as the agent does: trusted, whole, of operators and size that are taken.

    Then it is run in a process of its own: on a probe, in time and memory. A model that is refused
    ends with exit code 2 and the reason.
    """
    from edge.agent_detect import model_bounds, trust
    from edge.detect.admission import tried, trusted_package
    from edge.detect.models import ModelRefusedError, refused
    from edge.detect.models import load as load_model
    from edge.detect.trust import Trust
    from protos.model import SUFFIX
    from protos.model_key import read_public

    try:
        named = frozenset(map(read_public, keys))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--key") from error
    config, path = _config(place), _path(place, model)
    known = trust(config)
    known = Trust(known.keys | named, known.hashes)
    told: dict[str, Any] = {"file": str(path), "taken": True}
    try:
        if path.suffix == SUFFIX:
            package = trusted_package(path, known)
            report = tried(path, package, model_bounds(config))
            told |= {"signer": package.key_id, "label": package.manifest.label}
            told |= {"window_us": report.window_us, "memory_bytes": report.memory_bytes}
        elif _read(path)[0].sha256 in known.hashes:
            told |= {"signer": SHIPPED_WORD, "label": load_model(path).manifest.label}
        else:
            hint = "sign it: `tidegate-cloud model pack` makes a package of it"
            raise refused(path, "it is unsigned, and none of the shipped models", hint)
    except ModelRefusedError as error:
        if as_json:
            told |= {"taken": False, "cause": error.cause, "hint": error.hint}
            click.echo(msgspec.json.encode(told))
        raise
    click.echo(msgspec.json.encode(told) if as_json else "\n".join(_taken(told)))


def _taken(told: dict[str, Any]) -> Iterator[str]:
    yield f"model    {told['label']} is taken"
    if told["signer"] == SHIPPED_WORD:
        yield "signer   came with Tidegate"
        return
    yield f"signer   {told['signer']}"
    yield f"time     {told['window_us']:,.2f} µs a window in a batch of 256"
    yield f"memory   {told['memory_bytes'] / 2**20:,.1f} MiB for the session and its probes"


def _config(place: Place) -> EdgeConfig:
    """The home's settings where there is a home, else the defaults: a check needs none."""
    if (place.home / FILE_NAME).exists():
        return load(place.home)
    from edge.settings import EdgeSettings
    from protos.settings import read_settings

    return EdgeConfig(place.home, read_settings('[gateway]\nname = "none"\n', EdgeSettings))


def _read(path: Path) -> "tuple[Manifest, Package | None]":
    """What a file says of its model, trusted or not; the package, if it is one."""
    from edge.detect.admission import package_of
    from edge.detect.models import read_manifest
    from protos.model import SUFFIX

    if path.suffix != SUFFIX:
        return read_manifest(path), None
    package = package_of(path)
    return package.manifest, package


def _path(place: Place, model: str) -> Path:
    """The file that is named, or of that name in the home's folder, or a shipped one."""
    from edge.detect.admission import files
    from edge.detect.models import SHIPPED, ModelRefusedError

    if model.endswith((".tgm", ".toml")) or "/" in model:
        return Path(model)
    found = []
    for path in [*files(_config(place).models_folder), *files(SHIPPED)]:
        try:
            manifest, _ = _read(path)
        except ModelRefusedError:
            continue
        if model in (manifest.name, manifest.label):
            return path
        found.append(manifest.label)
    cause = "there is no such file, and no model of that name"
    hint = f"there is {', '.join(found)}" if found else "name a file"
    raise OperatorError(f"find the model {model!r}", cause, hint)
