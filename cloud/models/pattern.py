"""Sub-sequence PCA for what repeats itself: is the shape of the last stretch one that is known?

A window less its mean, over a scale trained once, is z. With the components P that hold `kept` of
the variance, Q = |z - P Pᵀz|² is what no known shape explains (Jackson and Mudholkar 1979), and
T² = Σ (Pᵀz)ᵢ²/λᵢ how far it is from the usual mixture of shapes (Hotelling 1947). Both are taken
over their own 99 % quantile of what was held out and added (the combined index of Yue and Qin
2001); the score is the square root of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.errors import OperatorError
from cloud.models.fitted import Fitted, Nodes
from cloud.models.predictor import PROBE_MAX
from cloud.models.runs import Lesson, parted, season_of, windows

WINDOW_DEFAULT: Final = 64
WINDOW_TOP: Final = 512
"""The covariance is of window × window, and every window scored costs window × components."""
COMPONENTS_MAX: Final = 16
LIMIT_QUANTILE: Final = 0.99

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PatternSettings:
    """``window`` in readings, 0 for one season, as far as there is one; ``kept`` of variance."""

    window: int = 0
    kept: float = 0.95

    def check(self) -> None:
        """OperatorError for what cannot be."""
        tried = "train a pattern model"
        if self.window and not 8 <= self.window <= WINDOW_TOP:
            raise OperatorError(tried, f"window = {self.window}", f"give 8 to {WINDOW_TOP}, or 0")
        if not 0.5 <= self.kept < 1:
            raise OperatorError(tried, f"kept = {self.kept}", "give 0.5 up to below 1")


@dataclass(frozen=True, slots=True)
class _Shapes:
    """``basis`` `(window, k)`, ``variance`` `(k,)`, and the limits of Q and T²."""

    basis: F8
    variance: F8
    scale: float
    q_limit: float = 1.0
    t_limit: float = 1.0

    def parts(self, views: F8) -> tuple[F8, F8]:
        """Q and T² of windows, `(n,)` each."""
        z = (views - views.mean(axis=1, keepdims=True)) / self.scale
        mixture = z @ self.basis
        rest = z - mixture @ self.basis.T
        return (rest**2).sum(axis=1), (mixture**2 / self.variance).sum(axis=1)

    def score(self, views: F8) -> F8:
        """`(n,)`."""
        q, t = self.parts(views)
        return np.asarray(np.sqrt(q / self.q_limit + t / self.t_limit))


def fit(lessons: Sequence[Lesson], settings: PatternSettings) -> Fitted:
    """Train on one series; deterministic.

    Raises:
        OperatorError: there are several series, the settings cannot be, or there is too little.
    """
    settings.check()
    tried = "train a pattern model"
    if len(lessons) != 1:
        cause = f"{len(lessons)} series were chosen, and each has shapes of its own"
        raise OperatorError(tried, cause, "choose one series by --device and --metric")
    (lesson,) = lessons
    window = settings.window or season_of(lesson.runs, 8, WINDOW_TOP) or WINDOW_DEFAULT
    fitting, held = parted(lesson, window)
    covariance, scale, count = _covariance(fitting, window)
    if not count or not held:
        cause = f"the series has no {window} readings in a row that may be learned from"
        raise OperatorError(tried, cause, "choose a longer time, or a shorter --window")
    shapes, kept = _shapes(covariance, scale, settings.kept)
    both = [shapes.parts(part) for part in windows(held, window)]
    q, t = (np.concatenate(each) for each in zip(*both, strict=True))
    tiny = float(np.finfo(np.float32).tiny)
    limits = [max(float(np.quantile(each, LIMIT_QUANTILE)), tiny) for each in (q, t)]
    shapes = _Shapes(shapes.basis, shapes.variance, scale, *limits)
    held_out = np.concatenate([shapes.score(part) for part in windows(held, window)])
    probe = next(iter(windows(held, window)))[:PROBE_MAX]
    components = shapes.basis.shape[1]
    return Fitted(
        graph=_graph(shapes), window=window, score=shapes.score, held_out=held_out, probe=probe,
        meaning="distance from known shapes; 1 is the edge of what was usual",
        about=f"Sub-sequence PCA: {components} shapes over {window} readings of one series.",
        figures={"windows": count, "components": components, "kept": kept, "scale": scale},
    )  # fmt: skip


def _covariance(runs: Sequence[F8], window: int) -> tuple[F8, float, int]:
    """Second moments of centred windows over the square of their scale, that scale, and a count."""
    total, count = np.zeros((window, window)), 0
    for part in windows(runs, window):
        centred = part - part.mean(axis=1, keepdims=True)
        total += centred.T @ centred
        count += len(part)
    mean_square = float(np.trace(total)) / max(count * window, 1)
    scale = float(np.sqrt(mean_square)) if mean_square > 0 else 1.0
    return total / (max(count, 1) * scale**2), scale, count


def _shapes(covariance: F8, scale: float, wanted: float) -> tuple[_Shapes, float]:
    """The fewest components that hold the ``wanted`` share, and the share they hold."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    whole = float(values.sum())
    shares = np.cumsum(values) / whole if whole > 0 else np.ones(len(values))
    k = min(int(np.searchsorted(shares, wanted)) + 1, COMPONENTS_MAX, len(values) - 1)
    # A vector and its negative are the same shape: the sign is fixed, so that runs agree.
    basis = vectors[:, :k] * np.sign(vectors[np.abs(vectors[:, :k]).argmax(axis=0), range(k)])
    floor = max(1e-9 * float(values[0]), float(np.finfo(np.float32).tiny))
    return _Shapes(basis, np.maximum(values[:k], floor), scale), float(shares[k - 1])


def _graph(shapes: _Shapes) -> bytes:
    nodes, window = Nodes(), len(shapes.basis)
    z = nodes.op("Sub", "window", nodes.mean("window"))
    z = nodes.op("Div", z, nodes.number(shapes.scale))
    mixture = nodes.op("MatMul", z, nodes.array(shapes.basis))
    known = nodes.op("MatMul", mixture, nodes.array(shapes.basis.T))
    rest = nodes.op("Sub", z, known)
    squares = nodes.op("Mul", rest, rest)
    q = nodes.op("MatMul", squares, nodes.array(np.full((window, 1), 1 / shapes.q_limit)))
    mixed = nodes.op("Mul", mixture, mixture)
    weights = 1 / (shapes.variance * shapes.t_limit)
    t = nodes.op("MatMul", mixed, nodes.array(weights[:, None]))
    score = nodes.op("Sqrt", nodes.op("Add", q, t))
    return nodes.model(score, "pattern", window)
