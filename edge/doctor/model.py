"""The models: whether each would be taken (whole, signed by a trusted key), and how they do."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.doctor.case import Case
from edge.doctor.kind import OPERATOR, Finding, fault, hint, ok
from edge.doctor.theme import Theme
from edge.errors import OperatorError

if TYPE_CHECKING:
    from edge.detect.trust import Trust

FILES: Final = "the models, their hashes and who signed them"
SERVICE: Final = "the models in service"
TAKEN = ok("model.taken", FILES)
OFF = ok("model.off", FILES)
REFUSED = fault("model.refused", FILES, "{hint}", OPERATOR)
NONE = fault(
    "model.none", FILES, "install Tidegate again; in a checkout, `make models` builds it", OPERATOR
)
KEYS = fault("model.keys", "the cloud's keys that sign models", "{hint}", OPERATOR)
FAILED = fault(
    "model.failed",
    SERVICE,
    "`tidegate-edge model check NAME`; the good one before it serves",
    OPERATOR,
)
RUNTIME = fault("model.runtime", "the inference runtime", "install Tidegate again", OPERATOR)
WAITS = hint("model.aside", SERVICE, "`tidegate-edge model check NAME` tells what it takes")


def examine(case: Case) -> Iterator[Finding]:
    """Look at the files, and ask the agent how its models do."""
    if not case.config.settings.models.enabled:
        yield OFF.found("none is wanted (`models.enabled = false`)")
        return
    from importlib.util import find_spec

    if find_spec("onnxruntime") is None:
        yield RUNTIME.found("onnxruntime is not installed: no anomaly is found")
    trusted, findings = _trust(case)
    yield from findings
    yield from _files(case, trusted)
    for one in case.health.models if case.health is not None else ():
        if one.failure:
            yield FAILED.found(f"{one.name} {one.version}: {one.failure}")
        elif one.aside:
            why = ", ".join(f"{count:,} × {cause}" for cause, count in one.aside.items())
            yield WAITS.found(f"{one.name} {one.version} was set aside: {why}")


def _trust(case: Case) -> "tuple[Trust, list[Finding]]":
    from edge.detect.trust import trust_of

    lines = case.config.settings.models.keys
    try:
        return trust_of(case.config.identity_folder, lines), []
    except OperatorError as error:
        return trust_of(None, lines), [KEYS.found(error.cause, hint=error.hint)]


def _files(case: Case, trusted: "Trust") -> Iterator[Finding]:
    from edge.detect.admission import files
    from edge.detect.models import SHIPPED, ModelRefusedError

    own = files(case.config.models_folder)
    folder = case.config.models_folder if own else SHIPPED
    taken = []
    for path in own or files(SHIPPED):
        try:
            taken.append(_looked_at(path, trusted))
        except ModelRefusedError as error:
            yield REFUSED.found(f"{path.name}: {error.cause}", hint=error.hint)
    if taken:
        yield TAKEN.found(", ".join(taken))
    elif not own:
        yield NONE.found(f"there is none in {folder}: no anomaly is found")


def _looked_at(path: Path, trusted: "Trust") -> str:
    """The label of a model that would be taken, as far as its bytes say; nothing is run.

    Raises:
        ModelRefusedError: it would not, and why.
    """
    from edge.detect.admission import trusted_package
    from edge.detect.models import read_graph, read_manifest, refused
    from protos.graph_rules import graph_problem
    from protos.model import SUFFIX

    if path.suffix == SUFFIX:
        package = trusted_package(path, trusted)
        manifest, graph, signer = package.manifest, package.graph, f"signed by {package.key_id}"
    else:
        manifest = read_manifest(path)
        if manifest.sha256 not in trusted.hashes:
            hint = "sign it: `tidegate-cloud model pack` makes a package of it"
            raise refused(path, "it is unsigned, and none of the shipped models", hint)
        graph, signer = read_graph(path, manifest), "came with Tidegate"
    problem = graph_problem(graph, manifest)
    if problem:
        raise refused(path, *problem)
    return f"{manifest.label} ({signer})"


THEME = Theme(
    "model",
    (TAKEN, OFF, REFUSED, NONE, KEYS, FAILED, RUNTIME, WAITS),
    examine,
    limit_s=10.0,
    hung=("the disk does not answer: see `dmesg`", OPERATOR),
)
