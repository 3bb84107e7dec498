"""A trained predictor of one series or one class of devices: ridge regression on its own past.

A value is foretold from the `lags` before it and, where the signal repeats itself, from those one
season back: x̂ = c + s·(b₀ + Σ bᵢ (xₜ₋ᵢ - c)/s), with c the mean of the last `lags` values. Of one
series s is 1; of several it is the mean size of the steps in the window, so that pumps of different
strength share one model. The score is |x - x̂| / (s·σ), σ being the root mean square of the
residuals held out. Normal equations are summed over the history, so no design matrix is ever held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.errors import OperatorError
from cloud.models.fitted import Fitted, Nodes
from cloud.models.runs import Lesson, parted, season_of, windows
from protos.model_manifest import WINDOW_MAX

LAGS_MAX: Final = 256
PROBE_MAX: Final = 4096
SEASON_AROUND: Final = 1
"""Lags before and after one season that are used too: few periods are whole readings."""
SCALE_FLOOR: Final = 0.01
"""Of the mean step of the calmest run: a window that stands still does not divide by nothing."""

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PredictorSettings:
    """``season`` in readings, 0 for none, -1 to look for it; ``ridge`` is relative to the data."""

    lags: int = 16
    season: int = -1
    ridge: float = 1e-3

    def check(self) -> None:
        """OperatorError for what cannot be."""
        tried = "train a predictor"
        if not 1 <= self.lags <= LAGS_MAX:
            raise OperatorError(tried, f"lags = {self.lags}", f"give 1 to {LAGS_MAX}")
        longest = WINDOW_MAX - 2 - SEASON_AROUND
        if not -1 <= self.season <= longest:
            hint = f"give 0 to {longest} readings, or -1 to look for it"
            raise OperatorError(tried, f"season = {self.season}", hint)
        if not 0 < self.ridge <= 10:
            raise OperatorError(tried, f"ridge = {self.ridge}", "give more than 0, up to 10")


@dataclass(frozen=True, slots=True)
class _Form:
    """Where in a window the regressors lie, and how it is scaled."""

    window: int
    places: I8
    lags: int
    is_scaled: bool
    floor: float

    def scale(self, views: F8) -> F8:
        """`(n, 1)`: what residuals of a window are measured by."""
        if not self.is_scaled:
            return np.ones((len(views), 1))
        steps = np.abs(views[:, 1:-1] - views[:, :-2])
        return np.asarray(np.maximum(steps.mean(axis=1, keepdims=True), self.floor))

    def level(self, views: F8) -> F8:
        """`(n, 1)`: mean of the last lags before the newest."""
        return np.asarray(views[:, -1 - self.lags : -1].mean(axis=1, keepdims=True))

    def design(self, views: F8) -> tuple[F8, F8]:
        """Regressors `(n, 1 + k)` and what they shall foretell, `(n,)`."""
        level, scale = self.level(views), self.scale(views)
        past = (views[:, self.places] - level) / scale
        ones = np.ones((len(views), 1))
        return np.concatenate([ones, past], axis=1), ((views[:, -1:] - level) / scale)[:, 0]


def fit(lessons: Sequence[Lesson], settings: PredictorSettings) -> Fitted:
    """Train on series of one kind; deterministic.

    Raises:
        OperatorError: the settings cannot be, or there is too little to learn from.
    """
    settings.check()
    longest = WINDOW_MAX - 2 - SEASON_AROUND
    season = settings.season
    if season < 0:
        runs = max((lesson.runs for lesson in lessons), key=lambda runs: sum(map(len, runs)))
        season = season_of(runs, settings.lags + 2, longest)
    lags = [*range(1, settings.lags + 1)]
    if season:
        lags += [season + k for k in range(-SEASON_AROUND, SEASON_AROUND + 1)]
    lags = sorted({lag for lag in lags if lag > 0})
    window = lags[-1] + 1
    places = np.array([window - 1 - lag for lag in lags], np.int64)
    split = [parted(lesson, window) for lesson in lessons]
    fitting, held = [run for a, _ in split for run in a], [run for _, b in split for run in b]
    form = _Form(window, places, settings.lags, len(lessons) > 1, _floor(fitting, window))
    weights, count = _solved(form, fitting, settings.ridge)
    residuals = np.concatenate(
        [np.zeros(0), *(_residuals(form, weights, part) for part in windows(held, window))]
    )
    if not len(residuals):
        cause = f"no series has {window} readings in a row that may be learned from"
        raise OperatorError("train a predictor", cause, "choose a longer time, or fewer lags")
    sigma = max(float(np.sqrt(np.mean(residuals**2))), float(np.finfo(np.float32).tiny))
    probe = next(iter(windows(held, window)))[:PROBE_MAX]

    def score(views: F8) -> F8:
        return np.abs(_residuals(form, weights, views)) / sigma

    return Fitted(
        graph=_graph(form, weights, sigma), window=window, score=score,
        held_out=np.abs(residuals) / sigma, probe=probe,
        meaning="distance of the value from what its past foretold, in standard deviations",
        about=_about(settings.lags, season, len(lessons)),
        figures={
            "season": season, "windows": count, "sigma": sigma,
            "explained": _explained(form, held, residuals),
        },
    )  # fmt: skip


def _about(lags: int, season: int, series: int) -> str:
    seasonal = f" and a season of {season} readings" if season else ""
    return f"Ridge regression on {lags} past values{seasonal}, trained on {series} series."


def _floor(runs: Sequence[F8], window: int) -> float:
    """A share of the mean step of the calmest run that moves at all; 1 where all stand still."""
    sizes = (float(np.abs(np.diff(run)).mean()) for run in runs if len(run) >= window)
    return SCALE_FLOOR * min((size for size in sizes if size > 0), default=1 / SCALE_FLOOR)


def _solved(form: _Form, runs: Sequence[F8], ridge: float) -> tuple[F8, int]:
    """Weights `(1 + k,)` by the normal equations, and of how many windows."""
    width = 1 + len(form.places)
    gram, moment, count = np.zeros((width, width)), np.zeros(width), 0
    for part in windows(runs, form.window):
        design, wanted = form.design(part)
        gram += design.T @ design
        moment += design.T @ wanted
        count += len(part)
    mean_size = np.trace(gram[1:, 1:]) / max(width - 1, 1)
    penalty = np.full(width, ridge * mean_size / max(width - 1, 1) + np.finfo(float).tiny)
    penalty[0] = np.finfo(float).tiny
    if count == 0 or not mean_size > 0:
        return np.zeros(width), count
    solved = np.linalg.lstsq(gram + np.diag(penalty), moment, rcond=None)[0]
    return np.asarray(solved, np.float64), count


def _residuals(form: _Form, weights: F8, views: F8) -> F8:
    """Scaled residuals of windows, `(n,)`."""
    design, wanted = form.design(views)
    return np.asarray(wanted - design @ weights)


def _explained(form: _Form, held: Sequence[F8], residuals: F8) -> float:
    """Share of the variance about the level that is foretold, of what was held out."""
    wanted = np.concatenate([form.design(part)[1] for part in windows(held, form.window)])
    whole = float(np.mean(wanted**2))
    return 1.0 - float(np.mean(residuals**2)) / whole if whole > 0 else 0.0


def _graph(form: _Form, weights: F8, sigma: float) -> bytes:
    nodes = Nodes()
    newest = nodes.part("window", form.window - 1)
    level = nodes.mean(nodes.part("window", form.window - 1 - form.lags, form.window - 1))
    past = nodes.op("Gather", "window", nodes.array(form.places), axis=1)
    past, wanted = nodes.op("Sub", past, level), nodes.op("Sub", newest, level)
    if form.is_scaled:
        later, earlier = (nodes.part("window", at, form.window - 2 + at) for at in (1, 0))
        size = nodes.mean(nodes.op("Abs", nodes.op("Sub", later, earlier)))
        scale = nodes.op("Max", size, nodes.number(form.floor))
        past, wanted = nodes.op("Div", past, scale), nodes.op("Div", wanted, scale)
    told = nodes.op("MatMul", past, nodes.array(weights[1:, None]))
    told = nodes.op("Add", told, nodes.number(float(weights[0])))
    apart = nodes.op("Abs", nodes.op("Sub", wanted, told))
    score = nodes.op("Div", apart, nodes.number(sigma))
    return nodes.model(score, "predictor", form.window)
