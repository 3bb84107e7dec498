"""Models from a folder: one ONNX file and one manifest each, verified before a session is made.

A manifest is a TOML file beside its model::

    name = "residual"        # with `version`: what anomalies are signed with
    version = "1"
    file = "residual-1.onnx"
    sha256 = "…"             # of the file
    window = 48              # values of one series in a window, the newest last
    kinds = ["gauge"]        # kinds of series it is for

The graph takes `window`, float64 `(n, window)`, and gives `score`, float32 `(n,)`, where larger is
stranger. A model that does not hold to this is refused with its reason and stops nothing.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.errors import OperatorError
from protos.series import SeriesKind

MODEL_BYTES_MAX: Final = 32 * 1024 * 1024
WINDOW_MAX: Final = 4096
# A probe that cannot be answered for this batch is found here and not in service.
PROBE_ROWS: Final = 3
SHIPPED: Final = Path(__file__).parent / "shipped_models"
# One intra-op thread: the agent shares its cores with a broker, and a call costs 10 µs anyway.
THREADS: Final = 1


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model says of itself; see the module's own words."""

    name: str
    version: str
    file: str
    sha256: str
    window: int
    kinds: tuple[str, ...] = ("gauge",)
    about: str = ""

    @property
    def label(self) -> str:
        """Name and version as anomalies carry them."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Model:
    """A verified model with its session."""

    manifest: Manifest
    session: Any

    @property
    def kinds(self) -> frozenset[SeriesKind]:
        """Kinds of series it scores."""
        return frozenset(SeriesKind[kind.upper()] for kind in self.manifest.kinds)

    def score(self, windows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score windows `(n, window)`; returns float64 `(n,)`."""
        scores = self.session.run(["score"], {"window": windows})[0]
        return np.asarray(scores, np.float64)


class ModelRefusedError(OperatorError):
    """A model that does not hold what its manifest or this module promises."""


def refused(manifest: Path, cause: str, hint: str) -> ModelRefusedError:
    """The error for one manifest."""
    return ModelRefusedError(f"load the model of {manifest}", cause, hint)


def read_manifest(path: Path) -> Manifest:
    """Read and check one manifest.

    Raises:
        ModelRefusedError: not TOML, a key is missing, unknown or out of range.
    """
    try:
        manifest = msgspec.convert(tomllib.loads(path.read_text()), Manifest)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise refused(path, str(error), "compare it with a shipped manifest") from error
    if not 2 <= manifest.window <= WINDOW_MAX:
        cause = f"window = {manifest.window} is not between 2 and {WINDOW_MAX}"
        raise refused(path, cause, "set the window length the graph was made for")
    known = {kind.name.lower() for kind in SeriesKind}
    if not set(manifest.kinds) <= known:
        cause = f"kinds = {list(manifest.kinds)} names a kind that is none of {sorted(known)}"
        raise refused(path, cause, "name kinds of series")
    if Path(manifest.file).name != manifest.file:
        raise refused(path, f"file = {manifest.file!r} leaves the folder", "name a file beside it")
    return manifest


def read_graph(path: Path, manifest: Manifest) -> bytes:
    """Read the ONNX file of a manifest and check its hash.

    Raises:
        ModelRefusedError: missing, too large, or not the file the manifest was made for.
    """
    file = path.with_name(manifest.file)
    try:
        size = file.stat().st_size
        if size > MODEL_BYTES_MAX:
            cause = f"{file.name} has {size} bytes, more than {MODEL_BYTES_MAX}"
            raise refused(path, cause, "a gateway takes small models")
        content = file.read_bytes()
    except OSError as error:
        raise refused(path, str(error), "put the ONNX file beside its manifest") from error
    if hashlib.sha256(content).hexdigest() != manifest.sha256:
        raise refused(path, f"{file.name} has another SHA-256", "copy both files again")
    return content


def open_session(path: Path, manifest: Manifest, content: bytes) -> Any:
    """Make the session and try it on a probe batch.

    Raises:
        ModelRefusedError: the runtime refuses the graph, or inputs, outputs or shapes are not ours.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it keeps the most that any batch ever needed
    probe = np.linspace(0.0, 1.0, PROBE_ROWS * manifest.window).reshape(PROBE_ROWS, -1)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        scores = np.asarray(session.run(["score"], {"window": probe})[0])
    except Exception as error:  # the runtime raises many unnamed kinds
        cause = str(error).splitlines()[0][:300]
        raise refused(path, f"the runtime refuses it: {cause}", "export it again") from error
    if scores.shape != (PROBE_ROWS,) or not np.isfinite(scores).all():
        cause = f"{PROBE_ROWS} probe windows gave scores of shape {scores.shape}: {scores.tolist()}"
        raise refused(path, cause[:300], "`score` must be one finite number a window")
    return session


def load(path: Path) -> Model:
    """Load and verify the model of one manifest.

    Raises:
        ModelRefusedError: for whatever it does not hold.
    """
    manifest = read_manifest(path)
    return Model(manifest, open_session(path, manifest, read_graph(path, manifest)))


def load_folder(folder: Path) -> tuple[list[Model], list[ModelRefusedError]]:
    """Every usable model of a folder, and why the others are refused; sorted by file name."""
    models, refusals = [], []
    for path in sorted(folder.glob("*.toml")):
        try:
            models.append(load(path))
        except ModelRefusedError as error:
            refusals.append(error)
    return models, refusals
