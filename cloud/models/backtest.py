"""A model tried on history: scored as a gateway would, and counted against what people said.

Beside it stand the models that were in service meanwhile, by what gateways told then, and, where
one is named, another package over the same readings. Which series a model watched then nobody wrote
down, so one that told of any counts for all of them, all of the time. Of each series only what a
report draws is kept: it is read, scored and let go.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.client.training import Said, TrainingApi
from cloud.errors import OperatorError
from cloud.models.account import Account, Truth, Worth
from cloud.models.chosen import Choice, Chosen, choose
from cloud.models.devices import device_stories
from cloud.models.drawn import Drawn, drawn_of
from cloud.models.episodes import Found, episodes_of
from cloud.models.history import Progress, Story, stories
from cloud.models.replay import Replay
from cloud.models.runs import SILENCE, usual_step
from cloud.models.train import span_of

EPISODES_MAX: Final = 1000
"""Episodes told one by one; all are counted."""
PLOTS_MAX: Final = 24

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Told:
    """One episode of the model that is tried, and what it was worth."""

    series: Chosen
    found: Found
    worth: Worth


@dataclass(frozen=True, slots=True)
class Row:
    """One series of a backtest."""

    series: Chosen
    readings: int
    scored: int
    episodes: int
    false: int
    occurrences: int
    caught: int


@dataclass(slots=True)
class Backtest:
    """What came of it; ``accounts`` begin with the model that was tried.

    ``in_training_us`` is how much of the watched time lies in the time it was trained on.
    """

    replay: Replay
    from_us: int
    to_us: int
    accounts: list[Account]
    rows: list[Row] = field(default_factory=list)
    episodes: list[Told] = field(default_factory=list)
    plots: list[Drawn] = field(default_factory=list)
    in_training_us: float = 0.0

    @property
    def readings(self) -> int:
        """Readings of all series."""
        return sum(row.readings for row in self.rows)

    def told(self) -> dict[str, Any]:
        """For machines."""
        manifest = self.replay.manifest
        return {
            "model": manifest.label,
            "threshold": self.replay.threshold,
            "adaptive": self.replay.learns,
            "promised_rate": manifest.calibration.rate,
            "from": self.from_us,
            "to": self.to_us,
            "series": len(self.rows),
            "readings": self.readings,
            "share_in_training": self.share_in_training,
            "models": [account_told(account) for account in self.accounts],
            "episodes": [
                {
                    "series": one.series.id, "name": one.series.name, "from": one.found.from_us,
                    "to": one.found.to_us, "peak": one.found.peak, "points": one.found.points,
                    "worth": one.worth.value,
                }
                for one in self.episodes
            ],
        }  # fmt: skip

    @property
    def share_in_training(self) -> float:
        """Of the watched time, how much the model was trained on."""
        watched = self.accounts[0].watched_us
        return self.in_training_us / watched if watched else 0.0


def account_told(account: Account) -> dict[str, Any]:
    """An account for machines; an interval without an end is null."""
    rate = account.rate
    return {
        "model": account.label,
        "episodes": account.episodes,
        "false": account.false,
        "occurrences": account.occurrences,
        "caught": account.caught,
        "delay_s": account.delay_s,
        "series_weeks": rate.weeks,
        "rate": rate.per_week,
        "rate_low": rate.low,
        "rate_high": rate.high if np.isfinite(rate.high) else None,
    }


def backtest(
    api: TrainingApi,
    replays: Sequence[Replay],
    choice: Choice,
    span: tuple[int | None, int | None],
    told: Progress,
) -> Backtest:
    """Try the first of ``replays`` on history, the others beside it, in [from, to) µs.

    Raises:
        OperatorError: no series fits, one has too many readings, or a graph fails.
    """
    chosen = choose(api, choice)
    from_us, to_us = span_of(chosen, *span)
    accounts = [Account(replay.manifest.label) for replay in replays]
    made = Backtest(replays[0], from_us, to_us, accounts)
    served: dict[str, Account] = {}
    watched, occurrences = 0.0, 0
    for story in _told(api, chosen, replays, (from_us, to_us), told):
        _take(made, replays, story)
        _in_service(served, api, made, story)
        watched += watched_us(story.ts, story.ts)
        occurrences += made.rows[-1].occurrences
    for account in served.values():
        account.watched_us, account.occurrences = watched, occurrences
    made.accounts += sorted(served.values(), key=lambda account: account.label)
    made.plots.sort(key=lambda drawn: (-drawn.weight, drawn.title))
    return made


def _told(
    api: TrainingApi,
    chosen: Sequence[Chosen],
    replays: Sequence[Replay],
    span: tuple[int, int],
    told: Progress,
) -> Iterator[Story]:
    """Series one by one; for models of frames, devices, whose series are held together."""
    forms = {
        (one.channels, one.window, one.sample_s, one.gap_s) if one.channels else None
        for one in (replay.manifest for replay in replays)
    }
    if len(forms) > 1:
        cause = "one takes frames that the other does not"
        raise OperatorError("try two models beside each other", cause, "try one after the other")
    (form,) = forms
    found = stories(api, chosen, *span, told, are_kept=form is not None)
    return iter(found) if form is None else device_stories(found, *form)


def _take(made: Backtest, replays: Sequence[Replay], story: Story) -> None:
    truth = Truth.of(story.said, made.from_us, made.to_us)
    for index, replay in enumerate(replays):
        score = replay.of(story)
        found = episodes_of(story.ts, score, replay.threshold)
        account = made.accounts[index]
        caught = account.caught
        watched = watched_us(story.ts[np.isfinite(score)], story.ts)
        told = account.add(found, truth, watched)
        if index:
            continue
        made.in_training_us += watched * _trained_share(replay, story.ts)
        made.rows.append(
            Row(
                story.of, len(story.ts), int(np.isfinite(score).sum()), len(found),
                told.count(Worth.FALSE), len(truth.occurrences), account.caught - caught,
            )
        )  # fmt: skip
        room = EPISODES_MAX - len(made.episodes)
        pairs = list(zip(found, told, strict=True))[:room]
        made.episodes += [Told(story.of, one, worth) for one, worth in pairs]
        _plot(made, story, score, list(zip(found, told, strict=True)))


def _plot(made: Backtest, story: Story, score: F8, found: list[tuple[Found, Worth]]) -> None:
    """Keep the drawing of a series, or of one with less to see let go."""
    weight = 2 * len(story.said.marks) + len(story.said.episodes) + len(found)
    made.plots.append(
        drawn_of(story, score, made.replay.threshold, found, (made.from_us, made.to_us), weight)
    )
    if len(made.plots) > PLOTS_MAX:
        made.plots.remove(min(made.plots, key=lambda drawn: drawn.weight))


def _in_service(served: dict[str, Account], api: TrainingApi, made: Backtest, story: Story) -> None:
    """Count what gateways told of this series then; by episodes, else by single anomalies."""
    found = recorded(api, story.said, story.of.id, made.from_us, made.to_us)
    truth = Truth.of(story.said, made.from_us, made.to_us)
    for label, mine in found.items():
        account = served.setdefault(label, Account(f"in service: {label}"))
        account.add(mine, truth, 0.0)


def recorded(
    api: TrainingApi, said: Said, series: str, from_us: int, to_us: int
) -> dict[str, list[Found]]:
    """What gateways told of a series, by model: its episodes, or where none were told anomalies."""
    found: dict[str, list[Found]] = {}
    for one in said.episodes:
        episode = Found(one.from_us, one.to_us, one.from_us, one.peak, 0)
        found.setdefault(one.model, []).append(episode)
    alone: dict[str, list[Found]] = {}
    for at_us, model in api.anomalies(series, from_us, to_us):
        if model not in found:
            alone.setdefault(model, []).append(Found(at_us, at_us, at_us, 0.0, 1))
    return found | alone


def watched_us(scored: I8, ts: I8) -> float:
    """How long a series was watched: the steps between readings scored, none longer than a silence.

    ``ts`` are all its readings, which say what a usual step is.
    """
    if len(scored) < 2:
        return 0.0
    return float(np.minimum(np.diff(scored), SILENCE * usual_step(ts)).sum())


def _trained_share(replay: Replay, ts: I8) -> float:
    """Of the readings, how many lie in the time that the model was trained on."""
    trained = replay.manifest.trained
    if trained is None or not len(ts):
        return 0.0
    first, last = (
        datetime.fromisoformat(at).timestamp() * 1e6 for at in (trained.from_, trained.to)
    )
    return float(((ts >= first) & (ts <= last)).mean())
