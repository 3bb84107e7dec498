"""Models: a graph and its manifest, checked, with the session that scores.

What is trusted, and where models come from, is `edge.detect.admission`'s; here a graph that is
taken becomes a session, after `graph_rules` found nothing wrong in its bytes and a probe batch
nothing in its scores. The shipped models lie in a folder, one ONNX file and one manifest each::

    name = "residual"        # with `version`: what anomalies are signed with
    version = "1"
    file = "residual-1.onnx"
    sha256 = "…"             # of the file
    window = 48              # values of one series in a window, the newest last
    kinds = ["gauge"]        # kinds of series it is for
    takes = "line"           # what the graph takes; without the key "window"

The other keys, and what a graph takes and gives, are in docs/format/model-package.md. A line costs
a fraction of windows, for what windows share is computed once. A model that does not hold to all
this is refused with its reason and stops nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge import memory
from edge.errors import LibraryError, OperatorError
from protos.graph_rules import SCORE, graph_problem
from protos.model_manifest import MANIFEST_BYTES_MAX, Manifest, Takes
from protos.model_text import parse_manifest
from protos.series import SeriesKind

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

MODEL_BYTES_MAX: Final = 32 * 1024 * 1024
# A probe that cannot be answered for this batch is found here and not in service.
PROBE_ROWS: Final = 3
SHIPPED: Final = Path(__file__).parent / "shipped"
# One intra-op thread: the agent shares its cores with a broker, and a call costs 10 µs anyway.
THREADS: Final = 1
# Bytes of windows, and values of a line, in one call: they bound memory, and what a call works on
# then stays in the processor's cache.
CALL_BYTES_MAX: Final = 384 << 10
CALL_VALUES_MAX: Final = 16 << 10


CONTRIBUTION: Final = "contribution"


@dataclass(frozen=True, slots=True)
class Model:
    """A verified model with its session."""

    manifest: Manifest
    session: Any

    @property
    def kinds(self) -> frozenset[SeriesKind]:
        """Kinds of series it scores."""
        return frozenset(SeriesKind[kind.upper()] for kind in self.manifest.kinds)

    @property
    def trouble(self) -> str:
        """Nothing: it raises, or it scores."""
        return ""

    @property
    def aside(self) -> Mapping[str, int]:
        """Nothing: who scores with it sets it aside."""
        return {}

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

    def score_frames(self, frames: F8) -> F8:
        """Score frames of a model that takes them.

        Args:
            frames: `(n, window, channels)` float64.

        Returns:
            `(n,)` float64.

        Raises:
            Exception: as `score`.
        """
        most = max(1, CALL_BYTES_MAX // (8 * frames[0].size)) if len(frames) else 1
        parts = [frames[start : start + most] for start in range(0, len(frames), most)]
        return np.concatenate([np.zeros(0), *(self._run(part, len(part)) for part in parts)])

    @property
    def tells(self) -> bool:
        """Whether the graph says what each channel of a frame contributed."""
        return CONTRIBUTION in {one.name for one in self.session.get_outputs()}

    def contributions(self, frames: F8) -> F8:
        """What each channel contributed to the score of each frame, of a model that tells it.

        Args:
            frames: `(n, window, channels)` float64, few enough for one call.

        Returns:
            `(n, channels)` float64.

        Raises:
            Exception: as `score`.
        """
        given = self.session.run([CONTRIBUTION], {self.manifest.takes.input_name: frames})[0]
        told: F8 = np.asarray(given, np.float64)
        if told.shape != (len(frames), len(self.manifest.channels)):
            raise ValueError(f"{len(frames)} windows gave contributions of {told.shape}")
        return told

    def _run(self, values: F8, count: int) -> F8:
        name = self.manifest.takes.input_name
        scores: F8 = np.asarray(self.session.run([SCORE], {name: values})[0], np.float64)
        if scores.shape != (count,):
            raise ValueError(f"{count} windows gave scores of shape {scores.shape}")
        return scores


class ModelRefusedError(OperatorError):
    """A model that does not hold what its manifest or this module promises."""


def refused(path: Path | str, cause: str, hint: str) -> ModelRefusedError:
    """The error for one model, called by its manifest's or package's file."""
    return ModelRefusedError(f"load the model of {path}", cause, hint)


def read_manifest(path: Path) -> Manifest:
    """Read and check one manifest of a folder.

    Raises:
        ModelRefusedError: not TOML, a key is missing, unknown or out of range.
    """
    try:
        with path.open("rb") as file:
            manifest = parse_manifest(file.read(MANIFEST_BYTES_MAX + 1))
    except (OSError, ValueError) as error:
        raise refused(path, str(error), "compare it with a shipped manifest") from error
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


def open_session(path: Path | str, manifest: Manifest, content: bytes) -> Any:
    """See that the graph is one that is taken, make its session and try it on a probe batch.

    Raises:
        ModelRefusedError: the graph, the runtime or the probe says that it is not ours.
    """
    problem = graph_problem(content, manifest)
    if problem:
        raise refused(path, *problem)
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
        raise refused(path, f"the runtime refuses it: {told(error)}", "export it again") from error
    if not np.isfinite(together).all():
        cause = f"probe windows gave scores that are no numbers: {together.tolist()}"
        raise refused(path, cause[:300], "`score` must be one finite number a window")
    exact = manifest.takes is Takes.LINE
    if not (np.array_equal if exact else _alike)(together, alone):
        beside = "in a line" if exact else "in a batch"
        cause = f"{beside} its windows have other scores than by themselves"
        raise refused(path, cause, "a score may depend on nothing but its own window")
    return session


def told(error: Exception) -> str:
    """What an error of the runtime says, on one line."""
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _alike(together: F8, alone: F8) -> bool:
    """Whether scores are the same but for the order in which a batch is summed."""
    return np.allclose(together, alone, rtol=1e-3, atol=1e-6)


def probe(manifest: Manifest, count: int) -> tuple[F8, I8]:
    """A line of ``count`` windows of a wave, its extremes in one window each, and of a standstill.

    What divides by a spread must bear none. Returns the line and where its windows begin.
    """
    window = manifest.window
    line = np.sin(np.arange(2 * window + count - 1, dtype=np.float64)) * 1e3 + 7.0
    line[0], line[window + count - 2], line[-window:] = 5e3, -5e3, 7.0
    return line, np.append(np.arange(count), len(line) - window)


def probe_scores(model: Model, line: F8, at: I8) -> F8:
    """Scores of windows of a line; for a model of frames each channel is a multiple of it."""
    if model.manifest.takes is not Takes.FRAME:
        return model.score(line, at)
    rows = np.lib.stride_tricks.sliding_window_view(line, model.manifest.window)[at]
    return model.score_frames(rows[:, :, None] * np.arange(1.0, 1 + len(model.manifest.channels)))


def _probed(model: Model) -> tuple[F8, F8]:
    """Scores of a few windows of one line, in one call and one by one."""
    line, at = probe(model.manifest, PROBE_ROWS)
    window = model.manifest.window
    alone = [probe_scores(model, line[one : one + window], at[:1]) for one in at.tolist()]
    return probe_scores(model, line, at), np.concatenate(alone)


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
