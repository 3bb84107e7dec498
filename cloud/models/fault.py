"""What people confirmed, learned: a small classifier that knows one fault again.

Two occurrences are enough to begin with, so there is little to fit: logistic regression over the
eleven features of a window (`features`), both classes weighing the same, held back by a ridge, so
that of two occurrences no single feature is believed alone. Of the normal, what somebody dismissed
weighs as much as all the rest: it looked strange, and was not this. The score is log(1 + e^logit),
which grows with the odds where a probability would only come nearer to 1. Its threshold is not a
half: it is set for the stated rate of false alarms on normal windows held out, and not below what
was dismissed; where the occurrences score higher than that, a quarter of the way up to the weakest.

Whether it knows a fault again is tried before it is kept: each occurrence is left out once, and
must be caught by what the others taught. Where none is, what was dismissed is passed over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.errors import OperatorError
from cloud.models.calibration import SCORES_MIN, calibrate
from cloud.models.features import NAMES, Units, features, features_node, units_of
from cloud.models.fitted import Fitted, Nodes
from cloud.models.predictor import PROBE_MAX
from cloud.models.runs import Lesson, parted, windows

OCCURRENCES_MIN: Final = 2
LEFT_OUT_MAX: Final = 10
"""Occurrences tried, each left out once; of more, the newest."""
NORMAL_MAX: Final = 50_000
"""Normal windows fitted on, drawn by the seed."""
CLIP: Final = 8.0
STEPS_MAX: Final = 50
WINDOW_BOUNDS: Final = (8, 256)
MARGIN: Final = 0.25

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
_TRIED: Final = "learn a fault"


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """``window`` in readings, 0 for the middle length of the occurrences; ``rate`` per week."""

    window: int = 0
    ridge: float = 0.01
    rate: float = 1.0
    seed: int = 0

    def check(self) -> None:
        """OperatorError for what cannot be."""
        low, top = WINDOW_BOUNDS
        if self.window and not low <= self.window <= top:
            raise OperatorError(_TRIED, f"window = {self.window}", f"give {low} to {top}, or 0")
        if not 0 < self.ridge <= 10:
            raise OperatorError(_TRIED, f"ridge = {self.ridge}", "give more than 0, up to 10")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Readings up to the end of one occurrence: `(n,)`, the last ``inside`` of them within it."""

    values: F8
    inside: int

    def views(self, window: int) -> F8:
        """The windows that end within it, `(m, window)`, once a quarter of them lies within it.

        Until then they look like normal; of an occurrence shorter than that, the last.
        """
        late = min(self.inside - 1, window // 4)
        start = max(0, len(self.values) - self.inside + late - window + 1)
        part = self.values[start:]
        if len(part) < window:
            return np.zeros((0, window))
        return np.lib.stride_tricks.sliding_window_view(part, window)


@dataclass(frozen=True, slots=True)
class Dismissed:
    """Readings about what was strange and no fault, all of them normal: `(n,)`.

    ``inside`` of them are it, behind ``before``.
    """

    values: F8
    before: int
    inside: int

    def views(self, window: int) -> F8:
        """The windows that hold any of it, `(m, window)`: on its way out it may look worst."""
        start = max(0, self.before - window + 1)
        part = self.values[start : self.before + self.inside + window - 1]
        if len(part) < window:
            return np.zeros((0, window))
        return np.lib.stride_tricks.sliding_window_view(part, window)


@dataclass(frozen=True, slots=True)
class _Classifier:
    units: Units
    mean: F8
    spread: F8
    weights: F8

    def logit(self, made: F8) -> F8:
        z = np.clip((made - self.mean) / self.spread, -CLIP, CLIP)
        return np.asarray(z @ self.weights[1:] + self.weights[0])

    def of_features(self, made: F8) -> F8:
        return np.asarray(np.logaddexp(0.0, self.logit(made)))

    def score(self, views: F8) -> F8:
        return self.of_features(features(views, self.units))


def occurrences_of(ts: I8, value: F8, spans: Sequence[tuple[int, int]]) -> list[Occurrence]:
    """The occurrences in one series, with `WINDOW_BOUNDS` readings before each, as far as known."""
    found = []
    for from_us, to_us in spans:
        start, end = np.searchsorted(ts, [from_us, to_us])
        if end > start:
            before = max(0, int(start) - WINDOW_BOUNDS[1])
            found.append(Occurrence(value[before:end], int(end - start)))
    return found


def dismissed_of(
    ts: I8, value: F8, normal: NDArray[np.bool_], spans: Sequence[tuple[int, int]]
) -> list[Dismissed]:
    """What was dismissed in one series, with the readings about it as far as they are normal."""
    edges = np.concatenate([[-1], np.flatnonzero(~normal), [len(ts)]])
    found = []
    for from_us, to_us in spans:
        start, end = (int(at) for at in np.searchsorted(ts, [from_us, to_us]))
        if end > start and normal[start:end].all():
            at = int(np.searchsorted(edges, start))
            first = max(start - WINDOW_BOUNDS[1], int(edges[at - 1]) + 1)
            last = min(end + WINDOW_BOUNDS[1], int(edges[at]))
            found.append(Dismissed(value[first:last], start - first, end - start))
    return found


def fit(
    lessons: Sequence[Lesson],
    occurrences: Sequence[Occurrence],
    settings: FaultSettings,
    dismissed: Sequence[Dismissed] = (),
) -> tuple[Fitted, float]:
    """Learn one fault of series of one kind, deterministic by the seed; gives its threshold, too.

    Raises:
        OperatorError: the settings cannot be, too few occurrences or normal readings, or what was
            learned catches no occurrence that it had not seen.
    """
    settings.check()
    window = settings.window or _window(occurrences)
    inside = [views for one in occurrences if len(views := one.views(window))]
    if len(inside) < OCCURRENCES_MIN:
        cause = f"{len(inside)} occurrences are known, {OCCURRENCES_MIN} are needed"
        hint = "confirm episodes on the page, or mark the time of a fault; --fault names which"
        raise OperatorError(_TRIED, cause, hint)
    split = [parted(lesson, window) for lesson in lessons]
    fitting, held = [run for a, _ in split for run in a], [run for _, b in split for run in b]
    units = units_of(fitting, window)
    normal, rest = _drawn(fitting, units, settings.seed), _features(held, units)
    if len(rest) < SCORES_MIN or len(normal) < SCORES_MIN:
        cause = f"{len(normal) + len(rest)} normal windows of {window} readings are known"
        raise OperatorError(_TRIED, cause, f"give at least {6 * SCORES_MIN} by a longer --from")
    step_us = float(np.median([lesson.step_us for lesson in lessons]))
    faulty = [features(views, units) for views in inside]
    near = [features(views, units) for one in dismissed if len(views := one.views(window))]
    known = _Known(units, normal, rest, near, step_us, settings)
    tried, caught = min(len(faulty), LEFT_OUT_MAX), known.caught_left_out(faulty)
    if not caught and near:  # somebody may have dismissed the fault itself
        known = replace(known, near=())
        caught = known.caught_left_out(faulty)
    if not caught:
        cause = f"each of {tried} occurrences was left out once, and the others found none"
        raise OperatorError(_TRIED, cause, "they look like normal, or are not one fault: --fault")
    model, threshold = known.beside(faulty)
    normal_probe = next(iter(windows(held, window)))[: PROBE_MAX // 2]
    fault_probe = np.concatenate(inside)[: PROBE_MAX // 2]
    fitted = Fitted(
        graph=_graph(model), window=window, score=model.score, held_out=model.of_features(rest),
        probe=np.concatenate([normal_probe, fault_probe]),
        meaning="logarithm of the odds that this is the fault, never below 0",
        about=f"Logistic regression on the look of windows; {len(inside)} occurrences taught it.",
        figures={
            "occurrences": len(inside), "caught_left_out": caught, "left_out": tried,
            "normal_windows": len(normal), "dismissed": len(near),
            "dismissed_caught": sum(_highest(model, one) > threshold for one in near),
            **_weights(model),
        },
    )  # fmt: skip
    return fitted, threshold


def _window(occurrences: Sequence[Occurrence]) -> int:
    low, top = WINDOW_BOUNDS
    middle = int(np.median([one.inside for one in occurrences])) if occurrences else low
    return int(np.clip(middle, low, top))


def _features(runs: Sequence[F8], units: Units) -> F8:
    made = [features(part, units) for part in windows(runs, units.window)]
    return np.concatenate([np.zeros((0, len(NAMES))), *made])


def _drawn(runs: Sequence[F8], units: Units, seed: int) -> F8:
    """Features of at most NORMAL_MAX windows, in the order of time."""
    made = _features(runs, units)
    if len(made) <= NORMAL_MAX:
        return made
    chosen = np.random.default_rng(seed).choice(len(made), NORMAL_MAX, replace=False)
    return made[np.sort(chosen)]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is no fault, as features: to fit on, held out, and of each that was dismissed."""

    units: Units
    normal: F8
    rest: F8
    near: Sequence[F8]
    step_us: float
    settings: FaultSettings

    def beside(self, faulty: Sequence[F8]) -> tuple[_Classifier, float]:
        """What tells these occurrences from it, and the threshold."""
        model = self._solved(faulty)
        least = calibrate(model.of_features(self.rest), self.step_us, self.settings.rate).threshold
        weakest = min(_highest(model, one) for one in faulty)
        # What was dismissed and scores more like a fault cannot be told from one.
        near = [score for one in self.near if 2 * (score := _highest(model, one)) < weakest]
        least = max([least, *near])
        return model, least + MARGIN * max(0.0, weakest - least)

    def caught_left_out(self, faulty: Sequence[F8]) -> int:
        """How many of the last `LEFT_OUT_MAX` occurrences are caught by what the others taught."""
        caught = 0
        for out in range(len(faulty))[-LEFT_OUT_MAX:]:
            model, threshold = self.beside([one for at, one in enumerate(faulty) if at != out])
            caught += _highest(model, faulty[out]) > threshold
        return caught

    def _solved(self, faulty: Sequence[F8]) -> _Classifier:
        """Newton's steps; each occurrence weighs the same, and all as much as what is no fault."""
        mean, spread = self.normal.mean(axis=0), np.maximum(self.normal.std(axis=0), 0.05)
        half = 0.5 if not self.near else 0.25
        parts = [([self.normal], half, 0.0), (self.near, half, 0.0), (faulty, 0.5, 1.0)]
        every = [(one, share / len(of), is_one) for of, share, is_one in parts for one in of]
        share = np.concatenate([np.full(len(one), part / len(one)) for one, part, _ in every])
        wanted = np.concatenate([np.full(len(one), is_one) for one, _, is_one in every])
        made = np.clip((np.concatenate([e[0] for e in every]) - mean) / spread, -CLIP, CLIP)
        design = np.concatenate([np.ones((len(made), 1)), made], axis=1)
        weights = np.zeros(design.shape[1])
        penalty = np.full(len(weights), self.settings.ridge)
        penalty[0] = 1e-9
        for _ in range(STEPS_MAX):
            told = 1 / (1 + np.exp(-np.clip(design @ weights, -500, 500)))
            gradient = design.T @ (share * (told - wanted)) + penalty * weights
            curve = design.T @ (design * (share * told * (1 - told))[:, None]) + np.diag(penalty)
            step = np.linalg.solve(curve, gradient)
            weights = weights - step
            if np.abs(step).max() < 1e-10:
                break
        return _Classifier(self.units, mean, spread, weights)


def _highest(model: _Classifier, made: F8) -> float:
    return float(model.of_features(made).max())


def _weights(model: _Classifier) -> dict[str, float]:
    return {f"weight_{name}": float(w) for name, w in zip(NAMES, model.weights[1:], strict=True)}


def _graph(model: _Classifier) -> bytes:
    nodes = Nodes()
    z = nodes.op("Sub", features_node(nodes, model.units), nodes.array(model.mean))
    z = nodes.op("Div", z, nodes.array(model.spread))
    z = nodes.op("Clip", z, nodes.number(-CLIP), nodes.number(CLIP))
    logit = nodes.op("MatMul", z, nodes.array(model.weights[1:, None]))
    logit = nodes.op("Add", logit, nodes.number(float(model.weights[0])))
    # log(1 + e^x) without overflow: max(x, 0) + log(1 + e^-|x|)
    small = nodes.op("Exp", nodes.op("Neg", nodes.op("Abs", logit)))
    small = nodes.op("Log", nodes.op("Add", small, nodes.number(1.0)))
    score = nodes.op("Add", nodes.op("Relu", logit), small)
    return nodes.model(score, "fault", model.units.window)
