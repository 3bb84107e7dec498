"""Pure: which ONNX graphs a gateway takes, decided from what a file holds before any is made.

A graph is of ONNX's own operators alone, in versions that every onnxruntime Tidegate works with
knows, whole in its file, of bounded size, and takes and gives what its manifest says.
"""

from typing import Final

from protos.model_manifest import Manifest, Takes
from protos.onnx_wire import DOUBLE, FLOAT, Facts, Value, WireError, read_facts

NODES_MAX: Final = 4096
"""The largest shipped model has hundreds; at a microsecond each this is a gateway's budget."""
IR_VERSIONS: Final = range(4, 12)
"""Of onnx 1.5 to 1.18; an older one lists its weights among its inputs."""
OPSETS: Final = {"": range(11, 24), "ai.onnx.ml": range(1, 6)}
"""Operator sets and their versions: what onnxruntime 1.23 has, the oldest that is asked for."""
SCORE: Final = "score"

Problem = tuple[str, str]
"""Why a graph is refused, and what to do."""


def graph_problem(graph: bytes, manifest: Manifest) -> Problem | None:
    """Say why a graph is refused, or nothing."""
    try:
        facts = read_facts(graph)
    except WireError as error:
        return f"its graph is refused: {error}", "export it again"
    return (
        _versions(facts)
        or _content(facts)
        or _input(facts.inputs, manifest)
        or _output(facts.outputs)
    )


def _versions(facts: Facts) -> Problem | None:
    if facts.ir_version not in IR_VERSIONS:
        low, high = IR_VERSIONS[0], IR_VERSIONS[-1]
        cause = f"its format is version {facts.ir_version} of ONNX's, {low} to {high} are taken"
        return cause, "export it with a release of onnx in between"
    foreign = {domain for domain, _ in facts.operators} | set(facts.opsets)
    for domain in sorted(foreign - set(OPSETS)):
        return f"it uses operators of {domain[:60]!r}, not ONNX's own", "export it without them"
    for domain, versions in sorted(facts.opsets.items()):
        low, high = OPSETS[domain][0], OPSETS[domain][-1]
        if not all(version in OPSETS[domain] for version in versions):
            named = domain or "ai.onnx"
            cause = f"its opset of {named} is {sorted(versions)}, {low} to {high} are taken"
            return cause, f"export it with opset {high} or less"
    if "" not in facts.opsets:
        return "it names no opset of ONNX's own operators", "export it again"
    return None


def _content(facts: Facts) -> Problem | None:
    if facts.external:
        cause = f"values of {facts.external[0]!r} lie in another file"
        return cause, "export it with its weights inside"
    if facts.functions or facts.training:
        what = "functions of its own" if facts.functions else "training information"
        return f"it holds {what}", "inline them or export it for inference"
    if facts.nodes > NODES_MAX:
        return f"it has {facts.nodes} nodes, {NODES_MAX} are taken", "make a smaller model"
    return None


def input_shape(manifest: Manifest) -> tuple[int, ...]:
    """The shape that a manifest's input has, -1 for the one dimension that is open."""
    match manifest.takes:
        case Takes.WINDOW:
            return (-1, manifest.window)
        case Takes.LINE:
            return (-1,)
        case Takes.FRAME:
            return (-1, manifest.window, len(manifest.channels))


def _input(inputs: list[Value], manifest: Manifest) -> Problem | None:
    name, shape = manifest.takes.input_name, input_shape(manifest)
    names = [one.name for one in inputs]
    hint = "`tidegate-cloud model pack --input NAME` wraps a graph of other names"
    if names != [name]:
        return f"its inputs are {names[:8]}, wanted is {name!r} alone", hint
    (one,) = inputs
    if one.element != DOUBLE:
        return f"its input {name!r} is not of float64", hint
    if one.shape is not None and not _fits(one.shape, shape):
        told = f"its input {name!r} has the shape {list(one.shape)}, wanted is {list(shape)}"
        return f"{told} (-1 is open)", "its first dimension must be open, the others the manifest's"
    return None


def _output(outputs: list[Value]) -> Problem | None:
    names = [one.name for one in outputs]
    hint = "`tidegate-cloud model pack --output NAME` wraps a graph of other names"
    if names.count(SCORE) != 1:
        return f"its outputs are {names[:8]}, wanted is {SCORE!r}", hint
    one = outputs[names.index(SCORE)]
    if one.element not in (FLOAT, DOUBLE):
        return f"its output {SCORE!r} is not of float32 or float64", hint
    if one.shape is not None and not _fits(one.shape, (-1,)):
        cause = f"its output {SCORE!r} has the shape {list(one.shape)}, wanted is [-1] (-1 is open)"
        return cause, "one score for each window"
    return None


def _fits(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a declared shape is the wanted one; it may leave open more, but not the first."""
    return (
        len(found) == len(wanted)
        and found[0] < 0
        and all(a < 0 or a == b for a, b in zip(found[1:], wanted[1:], strict=True))
    )
