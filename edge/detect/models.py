"""Models from a folder: one ONNX file and one manifest each, verified before a session is made.

A manifest is a TOML file beside its model::

    name = "residual"        # with `version`: what anomalies are signed with
    version = "1"
    file = "residual-1.onnx"
    sha256 = "…"             # of the file
    window = 48              # values of one series in a window, the newest last
    kinds = ["gauge"]        # kinds of series it is for
    takes = "line"           # what the graph takes; without the key "window"
    least = 48               # values from which a window is scored, what lacks being NaN; else full
    step_s_min = 0           # only series whose readings come at least so many seconds apart
    instead_of = []          # names of models that leave the series it takes to it
    of = "value"             # what its windows hold; "time": event times, in seconds

The graph gives `score`, float32, where larger is stranger. It takes either `window`, float64
`(n, window)`, and gives one score for each row; or `line`, float64 `(n,)`, and gives one for each
window in it, `(n - window + 1,)`. A line costs a fraction, for what windows share is computed once;
the score of a window must be the same, to the bit, whatever stands beside it in the line. A model
that does not hold to this is refused with its reason and stops nothing.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge import memory
from edge.errors import LibraryError, OperatorError
from protos.series import SeriesKind

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

MODEL_BYTES_MAX: Final = 32 * 1024 * 1024
WINDOW_MAX: Final = 4096
STEP_S_MAX: Final = 86_400.0
# A probe that cannot be answered for this batch is found here and not in service.
PROBE_ROWS: Final = 3
SHIPPED: Final = Path(__file__).parent / "shipped"
# One intra-op thread: the agent shares its cores with a broker, and a call costs 10 µs anyway.
THREADS: Final = 1
# Bytes of windows, and values of a line, in one call: they bound memory, and what a call works on
# then stays in the processor's cache.
CALL_BYTES_MAX: Final = 384 << 10
CALL_VALUES_MAX: Final = 16 << 10


class Takes(Enum):
    """What a graph takes, which is the name of its input as well."""

    WINDOW = "window"
    LINE = "line"


class Of(Enum):
    """What the windows of a model hold."""

    VALUE = "value"
    TIME = "time"


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model says of itself; see the module's own words."""

    name: str
    version: str
    file: str
    sha256: str
    window: int
    kinds: tuple[str, ...] = ("gauge",)
    takes: Takes = Takes.WINDOW
    about: str = ""
    least: int = 0
    step_s_min: float = 0.0
    instead_of: tuple[str, ...] = ()
    of: Of = Of.VALUE

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

    def score(self, line: F8, at: I8) -> F8:
        """Score the windows of ``line`` that begin at the places ``at``.

        Args:
            line: `(n,)` float64.
            at: `(m,)` int64, each at most n - window.

        Returns:
            `(m,)` float64.

        Raises:
            Exception: whatever the runtime raises, and ValueError for scores of another shape.
        """
        if not len(at):
            return np.zeros(0)
        if self.manifest.takes is Takes.LINE:
            return self._of_line(line)[at]
        views = np.lib.stride_tricks.sliding_window_view(line, self.manifest.window)
        most = max(1, CALL_BYTES_MAX // (8 * self.manifest.window))
        parts = [at[start : start + most] for start in range(0, len(at), most)]
        return np.concatenate([self._run(views[part], len(part)) for part in parts])

    def _of_line(self, line: F8) -> F8:
        past = self.manifest.window - 1
        step, count = max(1, CALL_VALUES_MAX - past), len(line) - past
        parts = [line[start : start + step + past] for start in range(0, count, step)]
        scores = [self._run(part, len(part) - past) for part in parts]
        return scores[0] if len(scores) == 1 else np.concatenate(scores)

    def _run(self, values: F8, count: int) -> F8:
        name = self.manifest.takes.value
        scores: F8 = np.asarray(self.session.run(["score"], {name: values})[0], np.float64)
        if scores.shape != (count,):
            raise ValueError(f"{count} windows gave scores of shape {scores.shape}")
        return scores


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
    if not 0 <= manifest.least <= manifest.window:
        cause = f"least = {manifest.least} is not between 0 and window = {manifest.window}"
        raise refused(path, cause, "set the number of values that a score needs; 0 is all of them")
    if not 0 <= manifest.step_s_min <= STEP_S_MAX:
        cause = f"step_s_min = {manifest.step_s_min} is not between 0 and {STEP_S_MAX:g}"
        raise refused(path, cause, "set the shortest time between readings that it can afford")
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
    try:
        memory.load("onnxruntime")
    except LibraryError as error:
        raise refused(path, str(error), error.hint) from error
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it keeps the most that any batch ever needed
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        together, alone = _probed(Model(manifest, session))
    except Exception as error:  # the runtime raises many unnamed kinds
        cause = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise refused(path, f"the runtime refuses it: {cause}", "export it again") from error
    if not np.isfinite(together).all():
        cause = f"probe windows gave scores that are no numbers: {together.tolist()}"
        raise refused(path, cause[:300], "`score` must be one finite number a window")
    if manifest.takes is Takes.LINE and not np.array_equal(together, alone):
        cause = "in a line its windows have other scores than by themselves"
        raise refused(path, cause, "a score may depend on nothing but its own window")
    return session


def _probed(model: Model) -> tuple[F8, F8]:
    """Scores of a few windows of one line, in one call and one by one."""
    window = model.manifest.window
    line = np.sin(np.arange(window + PROBE_ROWS - 1, dtype=np.float64)) * 1e3 + 7.0
    line[0], line[-1] = 5e3, -5e3  # the extremes are in one window each
    at = np.arange(PROBE_ROWS)
    alone = [model.score(line[start : start + window], at[:1]) for start in range(PROBE_ROWS)]
    return model.score(line, at), np.concatenate(alone)


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
