"""Pure: the rules of the settings over batches of readings: what each judged, and what turned.

A rule's detector is `rule:NAME`. Scores are 1.0 at the limit; the threshold in force is 1.0 while
nothing is found, and while something is the score at which it is over (hysteresis). How the stream
is cut into batches changes nothing that rules for values find.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.detect.by_series import by_series
from edge.detect.judged import Judged
from edge.detect.rules_meter import Meter, Rate, Stuck, meter_of
from edge.detect.rules_select import Names, Selected
from edge.detect.rules_silence import Changed, Listening, Silence
from edge.detect.rules_state import Switch
from edge.detect.slots import Slots, Slotted
from edge.settings_watch import Watch, When
from protos.series import SeriesKey

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Bools = NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]

PREFIX: Final = "rule:"
SCORE_MAX: Final = 1e9
"""What is stranger still is no stranger; it keeps scores finite."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one rule judged of a batch, or of a tick.

    Attributes:
        name: of the rule, without the prefix.
        judged: see `Judged`.
        rows: `(n,)` the row of the batch that each is of; -1 where silence is judged.
        before, after: `(n,)` whether the series was open before each, and is after it.
    """

    name: str
    judged: Judged
    rows: I8
    before: Bools
    after: Bools

    @property
    def opened(self) -> I8:
        """Places at which something begins."""
        return np.flatnonzero(self.after & ~self.before)

    @property
    def turned(self) -> I8:
        """Places at which something begins or is over."""
        return np.flatnonzero(self.after != self.before)


@dataclass(frozen=True, slots=True)
class Turn:
    """A rule that begins to find something in a series, or is done with it.

    ``ts_us`` is event time; ``value`` may be NaN, where only texts were told.
    """

    watch: str
    series: SeriesKey
    is_open: bool
    ts_us: int
    value: float
    score: float


@dataclass(slots=True)
class Post:
    """One rule in service, with the state of its series; ``meter`` or ``silence`` judges."""

    name: str
    watch: Watch
    selected: Selected
    switch: Switch
    meter: Meter | None = None
    silence: Silence | None = None
    slots: Slots = field(default_factory=Slots)
    """Numbers of the series that the meter knows something of."""
    judged: int = 0
    found: int = 0


@dataclass(frozen=True, slots=True)
class PostStanding:
    """A rule as `status` shows it; counts are since the start."""

    name: str
    series: int
    judged: int
    found: int
    open: int


class Rules:
    """All rules of a gateway.

    Args:
        watches: the settings, by name.
    """

    def __init__(self, watches: Mapping[str, Watch]) -> None:
        self._posts = [_post(name, watch) for name, watch in watches.items()]
        self.has_silence = any(post.silence for post in self._posts)

    def __len__(self) -> int:
        return len(self._posts)

    def judge(
        self, numbers: Columns, texts: Columns, names: Names, clock: Listening
    ) -> list[Found]:
        """Judge one batch.

        Args:
            numbers: NUMBERS in order of arrival: series, ts and value.
            texts: TEXTS the same way: series and ts.
            names: of the series.
            clock: as of now.
        """
        finite = np.isfinite(numbers["value"])
        usable = None if finite.all() else finite.nonzero()[0]
        found = []
        for post in self._posts:
            post.selected.grow(names)
            if post.silence is not None:
                one = _heard(post, post.silence, numbers, texts, clock)
            else:
                one = _measured(post, numbers, usable)
            if one is not None:
                post.judged += 0 if post.silence is not None else len(one.rows)
                post.found += len(one.opened)
                found.append(one)
        return found

    def tick(self, clock: Listening) -> list[Found]:
        """Look for what has fallen silent; to be called every second or so."""
        found = []
        for post in self._posts:
            if post.silence is None:
                continue
            changed = post.silence.tick(clock)
            if len(changed.series):
                post.found += len(changed.series)
                nothing = np.full(len(changed.series), -1)
                found.append(_silence_found(post, changed, nothing, begins=True))
        return found

    def restore(self, is_open: Mapping[str, Sequence[int]]) -> None:
        """Have entries be open, by rule, as before a restart; rules that there are not are left."""
        for post in self._posts:
            series = np.array(sorted(is_open.get(post.name, ())), np.int64)
            if post.silence is not None:
                post.silence.restore(series)
            elif len(series):
                post.switch.put(series, is_open=True)

    def resume(self, is_open: Mapping[str, Sequence[int]]) -> None:
        """Have entries be open whose episodes are, as `restore`.

        Rules for values with commands are not among them: what stands of a command is known by
        what was given, and one that was not given yet is to be, with the next reading.
        """
        self.restore({
            post.name: is_open.get(post.name, ())
            for post in self._posts
            if post.silence is not None or not post.watch.command
        })  # fmt: skip

    def learning(self) -> dict[str, dict[str, Slotted]]:
        """What rules for rates and stuck values know of their series, by detector."""
        return {
            PREFIX + post.name: {"readings": Slotted(post.slots, post.meter)}
            for post in self._posts
            if isinstance(post.meter, Rate | Stuck)
        }

    def standings(self) -> list[PostStanding]:
        """How each rule does."""
        return [
            PostStanding(
                post.name, post.selected.count, post.judged, post.found, len(post.switch.standing)
            )
            for post in self._posts
        ]


def turns(found: Sequence[Found], names: Names) -> tuple[Turn, ...]:
    """What began and what is over, rule by rule, of a series in the order of arrival."""
    told = []
    for one in found:
        at, judged = one.turned, one.judged
        columns = (judged.series, one.after, judged.ts, judged.value, judged.score)
        for series, is_open, *rest in zip(*(c[at].tolist() for c in columns), strict=True):
            key = names.key(series)
            if key is not None:
                told.append(Turn(one.name, key, is_open, *rest))
    return tuple(told)


def _post(name: str, watch: Watch) -> Post:
    if watch.when is When.SILENT:
        silence = Silence(watch)
        return Post(name, watch, Selected(watch), silence.switch, silence=silence)
    return Post(name, watch, Selected(watch), Switch(), meter_of(watch))


def _measured(post: Post, numbers: Columns, usable: I8 | None) -> Found | None:
    """What a rule for values makes of a batch; ``usable``: the rows with finite values."""
    series = numbers["series"]
    mine = post.selected.wanted[series]
    rows = mine.nonzero()[0] if usable is None else usable[mine[usable]]
    if not len(rows) or post.meter is None:
        return None
    groups = by_series(series[rows])
    if groups.order is not None:
        rows = rows[groups.order]
    ts, value = numbers["ts"][rows], numbers["value"][rows]
    told = groups
    if isinstance(post.meter, Rate | Stuck):  # a limit knows nothing of its series
        told = replace(groups, who=post.slots.of(groups.who), series=post.slots.of(groups.series))
    with np.errstate(over="ignore"):
        metered = post.meter.measure(told, ts, value)
    at = metered.at
    if not len(at):
        return None
    kept = groups if len(at) == len(rows) else by_series(groups.who[at])
    before, after = post.switch.take(kept, metered.over, metered.back)
    threshold = np.where(before, post.meter.release, 1.0)
    score = _agreeing(metered.score, threshold, after)
    judged = Judged(PREFIX + post.name, groups.who[at], ts[at], value[at], score, threshold)
    return Found(post.name, judged, rows[at], before, after)


def _agreeing(score: F8, threshold: F8, strange: Bools) -> F8:
    """Scores never negative, and above their threshold where the values say so, to the last bit."""
    bounded = np.clip(score, 0.0, SCORE_MAX) + 0.0  # no -0.0
    above = np.maximum(bounded, np.nextafter(threshold, np.inf))
    return np.where(strange, above, np.minimum(bounded, threshold))


def _heard(
    post: Post, silence: Silence, numbers: Columns, texts: Columns, clock: Listening
) -> Found | None:
    """What a rule for silence makes of a batch: what is heard again."""
    tables = [(numbers, numbers["value"]), (texts, np.full(len(texts["series"]), np.nan))]
    picked = [(post.selected.wanted[table["series"]].nonzero()[0], table, value)
              for table, value in tables]  # fmt: skip
    series = np.concatenate([table["series"][rows] for rows, table, _ in picked])
    if not len(series):
        return None
    post.judged += len(series)
    ts = np.concatenate([table["ts"][rows] for rows, table, _ in picked])
    value = np.concatenate([value[rows] for rows, _, value in picked])
    changed = silence.hear(post.selected.stands[series], ts, value, clock)
    if not len(changed.series):
        return None
    return _silence_found(post, changed, np.full(len(changed.series), -1), begins=False)


def _silence_found(post: Post, changed: Changed, rows: I8, *, begins: bool) -> Found:
    count = len(changed.series)
    after = np.full(count, begins)
    threshold = np.ones(count)
    judged = Judged(
        PREFIX + post.name, changed.series, changed.ts, changed.value,
        _agreeing(changed.score, threshold, after), threshold,
    )  # fmt: skip
    return Found(post.name, judged, rows, ~after, after)
