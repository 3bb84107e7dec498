"""A model made from history: read, fitted, proved, and described by a manifest."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

import numpy as np

from cloud.client.training import TrainingApi
from cloud.errors import OperatorError
from cloud.models import channels, fault, pattern, predictor
from cloud.models.calibration import calibrate
from cloud.models.channels import ChannelSettings
from cloud.models.chosen import Choice, Chosen, choose
from cloud.models.fault import (
    Dismissed,
    FaultSettings,
    Occurrence,
    dismissed_of,
    occurrences_of,
)
from cloud.models.fitted import Fitted
from cloud.models.history import DataHash, Progress, Story, dismissed, occurrences, stories
from cloud.models.pattern import PatternSettings
from cloud.models.predictor import PredictorSettings
from cloud.models.proof import Proof, prove
from cloud.models.runs import Lesson, lesson_of
from protos.model import Calibration, CalibrationKind, Manifest, PackageError, Trained
from protos.model_manifest import manifest_problem

RATE_MAX: Final = 1000.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Way(Enum):
    """How a model is made; the value is its name on the command line."""

    PREDICTOR = "predictor"
    """What the past of a series foretells: of one series or of a class of devices."""
    PATTERN = "pattern"
    """Shapes of one series that repeats itself."""
    FAULT = "fault"
    """One fault that people confirmed, known again."""
    CHANNELS = "channels"
    """Several metrics of a device together."""


Settings = PredictorSettings | PatternSettings | FaultSettings | ChannelSettings


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made, of which series, from [from, to) µs; None is where history ends.

    ``rate`` is the stated rate of false alarms for each series and week, ``words`` what a verdict
    or mark must say of the fault to learn.
    """

    name: str
    version: str
    way: Way
    choice: Choice
    from_us: int | None = None
    to_us: int | None = None
    rate: float = 1.0
    calibration: CalibrationKind = CalibrationKind.FIXED
    words: str = ""
    settings: Settings = field(default_factory=PredictorSettings)

    def check(self) -> None:
        """OperatorError or PackageError for what is wrong whatever history has."""
        if not 0 < self.rate <= RATE_MAX:
            hint = f"give more than 0, up to {RATE_MAX:g} false alarms for each series and week"
            raise OperatorError(f"train {self.name}", f"rate = {self.rate}", hint)
        self.settings.check()
        applies, kinds = self.choice.applies, tuple(self.choice.kinds)
        empty = Manifest(
            name=self.name, version=self.version, window=2, applies=applies, kinds=kinds
        )
        if problem := manifest_problem(empty):
            raise PackageError(f"train {self.name}", problem, "put it right")


@dataclass(frozen=True, slots=True)
class Made:
    """A model made: ``manifest`` and ``graph`` are what a package is written of."""

    manifest: Manifest
    graph: bytes = field(repr=False)
    fitted: Fitted = field(repr=False)
    proof: Proof
    series: Sequence[Chosen]

    def told(self) -> dict[str, Any]:
        """For machines."""
        manifest, trained = self.manifest, self.manifest.trained
        assert trained is not None
        return {
            "name": manifest.name,
            "version": manifest.version,
            "window": manifest.window,
            "threshold": manifest.calibration.threshold,
            "rate": manifest.calibration.rate,
            "from": trained.from_,
            "to": trained.to,
            "rows": trained.rows,
            "data_sha256": trained.data_sha256,
            "series": [one.id for one in self.series],
            "figures": dict(self.fitted.figures),
            "proof": asdict(self.proof),
        }

    def lines(self) -> list[str]:
        """For people."""
        manifest, trained, proof = self.manifest, self.manifest.trained, self.proof
        assert trained is not None
        figures = ", ".join(
            f"{name.replace('_', ' ')} {value:.4g}"
            for name, value in self.fitted.figures.items()
            if not name.startswith("weight_")
        )
        return [
            f"{manifest.label}: {manifest.about}",
            f"from {trained.rows:,} readings of {len(self.series)} series, "
            f"{trained.from_} to {trained.to}",
            figures,
            f"threshold {manifest.calibration.threshold:.4g} for {manifest.calibration.rate:g} "
            f"false alarms a series and week, by {len(self.fitted.held_out):,} windows held out",
            f"the exported graph differs by at most {proof.difference:.2g} "
            f"({proof.bound:.2g} allowed) on {proof.windows:,} of them",
        ]


@dataclass(slots=True)
class _Read:
    """What was read: stories where channels need them whole, else lessons; occurrences; account.

    ``dismissed``: what a fault is to be told from.
    """

    stories: list[Story] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    occurrences: list[Occurrence] = field(default_factory=list)
    dismissed: list[Dismissed] = field(default_factory=list)
    hash: DataHash = field(default_factory=DataHash)
    first_us: int = 1 << 62
    last_us: int = -(1 << 62)


def train(api: TrainingApi, order: Order, told: Progress) -> Made:
    """Make a model.

    Raises:
        OperatorError: nothing fits what was asked, or there is too little to learn from.
        UnequalError: the exported graph does not give what was fitted.
    """
    order.check()
    chosen = choose(api, order.choice)
    from_us, to_us = span_of(chosen, order.from_us, order.to_us)
    read = _read(stories(api, chosen, from_us, to_us, told), order)
    if not any(lesson.values for lesson in read.lessons):
        cause = "no reading is left to learn from in that time"
        hint = "marks and confirmed episodes are left out; --from and --to widen it"
        raise OperatorError(f"train {order.name}", cause, hint)
    fitted, threshold, steps = _fitted(order, read)
    proof = prove(fitted)
    manifest = Manifest(
        name=order.name, version=order.version, window=fitted.window, takes=fitted.takes,
        channels=fitted.channels, kinds=tuple(order.choice.kinds), applies=order.choice.applies,
        sample_s=steps.get("sample_s", 0.0), gap_s=steps.get("gap_s", 0.0),
        score=fitted.meaning, about=fitted.about,
        calibration=Calibration(kind=order.calibration, threshold=threshold, rate=order.rate),
        trained=Trained(
            from_=_iso(read.first_us), to=_iso(read.last_us), rows=read.hash.rows,
            data_sha256=read.hash.hex(),
        ),
    )  # fmt: skip
    return Made(manifest, fitted.graph, fitted, proof, chosen)


def span_of(chosen: Sequence[Chosen], from_us: int | None, to_us: int | None) -> tuple[int, int]:
    """The range asked for, or all that the series have, [from, to) µs. OperatorError: none."""
    first = min(one.first_us for one in chosen) if from_us is None else from_us
    end = max(one.last_us for one in chosen) + 1 if to_us is None else to_us
    if end <= first:
        raise OperatorError("read history for models", "--to is not after --from", "both are UTC")
    return first, end


def _read(found: Iterable[Story], order: Order) -> _Read:
    read = _Read()
    for story in found:
        used = story.normal.copy()
        if order.way is Way.FAULT:
            spans = occurrences(story.said, order.words)
            read.occurrences += occurrences_of(story.ts, story.value, spans)
            near = dismissed(story.said)
            read.dismissed += dismissed_of(story.ts, story.value, story.normal, near)
            for from_us, to_us in spans:
                used |= (story.ts >= from_us) & (story.ts < to_us)
        read.lessons.append(lesson_of(story.ts, story.value, story.normal))
        if order.way is Way.CHANNELS:
            read.stories.append(story)
        read.hash.add(story.of.id, story.ts[used], story.value[used])
        if used.any():
            ts = story.ts[used]
            read.first_us = min(read.first_us, int(ts[0]))
            read.last_us = max(read.last_us, int(ts[-1]))
    return read


def _fitted(order: Order, read: _Read) -> tuple[Fitted, float, dict[str, float]]:
    """The fitted model, its threshold, and how its frames are made, if it takes any."""
    lessons = [lesson for lesson in read.lessons if lesson.values]
    step_us = float(np.median([lesson.step_us for lesson in lessons]))
    steps: dict[str, float] = {}
    match order.settings:
        case FaultSettings():
            return *fault.fit(lessons, read.occurrences, order.settings, read.dismissed), {}
        case ChannelSettings():
            learned = channels.fit(read.stories, order.settings)
            fitted, step_us = learned.fitted, learned.sample_s * 1e6
            steps = {"sample_s": learned.sample_s, "gap_s": learned.gap_s}
        case PatternSettings():
            fitted = pattern.fit(lessons, order.settings)
        case PredictorSettings():
            fitted = predictor.fit(lessons, order.settings)
    try:
        threshold = calibrate(fitted.held_out, step_us, order.rate).threshold
    except ValueError as error:
        hint = "choose a longer time by --from and --to"
        raise OperatorError(f"calibrate {order.name}", str(error), hint) from error
    # Channels were foretold for a longer time than was held out: their own limit is the least.
    return fitted, max(threshold, 1.0) if steps else threshold, steps


def _iso(at_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat()
