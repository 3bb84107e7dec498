"""Which series have episodes: as their gateways tell them, or else as their anomalies come.

Where a gateway tells anomalies alone, a stretch of them without a calm between is one episode.

How many anomalies each series has is known without asking the tables; only of those that have more
than at the look before is asked what came. Anomalies older than a day, which a gateway brings after
a long absence, are history and not told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.lake.names import Name
from cloud.live.series import Known
from cloud.notify.episodes_told import Row, TrueOne, TrueOnes
from cloud.notify.limits import Pattern
from cloud.notify.rises import Rises
from cloud.notify.rule import Rule, What
from cloud.notify.standing import Finding, Key, Standing
from cloud.query.events import Events, EventsAsk

OLD_US: Final = 86_400_000_000
AHEAD_US: Final = 86_400_000_000
"""Of a clock that is ahead anomalies are told too, up to a day."""
ASKED_MAX: Final = 200
"""Series that one look asks about; of more at once the rest is told without its highest score."""
ROWS_MAX: Final = 5_000

Ask = Callable[[EventsAsk], list[dict[str, Any]]]


@dataclass(slots=True)
class _Told:
    """What is known of one series' episode."""

    name: Name
    from_us: int
    peak: float = 0.0
    model: str = ""


@dataclass(slots=True)
class Episodes:
    """The episodes that go on; ``calm_us`` is the shortest calm of all rules."""

    ask: Ask
    rises: Rises[int]
    _book: object = field(init=False, default=None)
    _counts: NDArray[np.int64] = field(init=False, default_factory=lambda: np.empty(0, np.int64))
    _told: dict[int, _Told] = field(init=False, default_factory=dict)
    _resumed: set[Key] = field(init=False, default_factory=set)
    _true: TrueOnes = field(init=False, default_factory=TrueOnes)

    def note(self, book: object, known: Known, now_us: int) -> None:
        """Take in what came since the look before; the first look finds nothing new.

        Raises:
            Busy: nothing can be asked now, and nothing was taken in.
        """
        if book is not self._book:
            self._book, self._counts = book, known.anomalies
            return
        before = np.zeros(len(known.anomalies), np.int64)
        before[: len(self._counts)] = self._counts
        at = np.flatnonzero(known.anomalies > before)
        self._note_true([known.names[i] for i in at.tolist()], now_us)
        if not len(at):
            self._counts = known.anomalies
            return
        more = {known.names[i].id: int(known.anomalies[i] - before[i]) for i in at.tolist()}
        names = {known.names[i].id: known.names[i] for i in at.tolist()}
        rows = self._rows(list(more)[:ASKED_MAX], sum(more.values()), now_us)
        self._counts = known.anomalies
        for series, count in more.items():
            self._come(names[series], rows.get(series, [])[:count], count, now_us, series in rows)

    def ongoing(
        self, pattern: Pattern, name: str, rule: Rule, open_: Mapping[Key, Standing], now_us: int
    ) -> list[Finding]:
        """The episodes of series of a rule that are not calm yet."""
        self._resume(name, open_, now_us)
        true = (
            _true_finding(pattern, name, rule, open_, series, one)
            for series, one in self._true.standing()
        )
        found = [one for one in true if one is not None]
        for series, rise in self.rises.within(round(rule.calm_s * 1e6), now_us):
            if series in self._true:
                continue
            told = self._told[series]
            subject = f"{series:016x}"
            stands = open_.get((name, subject))
            if not stands and (told.peak < rule.score_min or not pattern.fits(told.name)):
                continue
            since = stands.found.since_us if stands else told.from_us
            detail: dict[str, str | float | int] = {"anomalies": rise.count, "peak": told.peak}
            if told.model:
                detail["model"] = told.model
            of = told.name
            found.append(
                Finding(
                    name, What.EPISODE, subject, rule.severity, of.gateway, since, of.device,
                    of.metric, detail,
                )
            )  # fmt: skip
            self._resumed.add((name, subject))
        held = {series for series, _ in self.rises.within(self.rises.calm_us, now_us)}
        self._told = {series: told for series, told in self._told.items() if series in held}
        return found

    def _note_true(self, news: Sequence[Name], now_us: int) -> None:
        """Ask for the episodes of series that have news, or one that goes on."""
        names = {name.id: name for name in news}
        names |= {series: one.name for series, one in self._true.standing()}
        names |= {series: told.name for series, told in self._told.items()}
        if not names:
            return
        asked = sorted(names)[:ASKED_MAX]
        span = now_us - OLD_US, now_us + AHEAD_US
        rows: dict[int, list[Row]] = {each: [] for each in asked}
        ask = EventsAsk(Events.EPISODES, *span, tuple(asked), limit=ROWS_MAX)
        for row in self.ask(ask):
            rows[row["series"]].append(row)
        self._true.note(names, rows)

    def _rows(
        self, series: Sequence[int], count: int, now_us: int
    ) -> dict[int, list[dict[str, Any]]]:
        """The newest anomalies of these, by series; those asked for without any have none."""
        limit = min(count, ROWS_MAX)
        span = now_us - OLD_US, now_us + AHEAD_US
        ask = EventsAsk(Events.ANOMALIES, *span, tuple(sorted(series)), limit=limit)
        found: dict[int, list[dict[str, Any]]] = {each: [] for each in series}
        for row in self.ask(ask):
            found[row["series"]].append(row)
        return found

    def _come(
        self, name: Name, rows: list[dict[str, Any]], count: int, now_us: int, asked: bool
    ) -> None:
        if asked and not rows:
            return  # all of them are old
        is_new = name.id not in self._told
        rise = self.rises.note(name.id, len(rows) if asked else count, now_us)
        if is_new or rise.since_us == now_us:
            first = min((row["ts"] for row in rows), default=now_us)
            self._told[name.id] = _Told(name, first)
        told = self._told[name.id]
        for row in rows:
            if row["score"] > told.peak:
                told.peak, told.model = float(row["score"]), str(row["model"])

    def _resume(self, rule: str, open_: Mapping[Key, Standing], now_us: int) -> None:
        """What was begun under an earlier process ends a calm after this one began to look."""
        for key, stands in open_.items():
            if key[0] == rule and key not in self._resumed:
                self._resumed.add(key)
                found = stands.found
                series = int(found.subject, 16)
                name = Name(found.gateway, found.device, found.metric, "", "", 0, series)
                detail = found.detail
                peak, model = float(detail.get("peak", 0)), str(detail.get("model", ""))
                self._told.setdefault(series, _Told(name, found.since_us, peak, model))
                self.rises.note(series, 0, now_us)


def _true_finding(
    pattern: Pattern,
    name: str,
    rule: Rule,
    open_: Mapping[Key, Standing],
    series: int,
    one: TrueOne,
) -> Finding | None:
    """What a rule says of episodes that a gateway told; None where it is not about them."""
    subject = f"{series:016x}"
    stands = open_.get((name, subject))
    if not stands and (one.peak < rule.score_min or not pattern.fits(one.name)):
        return None
    since = stands.found.since_us if stands else one.from_us
    detail: dict[str, str | float | int] = {
        "anomalies": one.points, "peak": one.peak, "model": one.model,
    }  # fmt: skip
    return Finding(
        name, What.EPISODE, subject, rule.severity, one.name.gateway, since, one.name.device,
        one.name.metric, detail,
    )  # fmt: skip
