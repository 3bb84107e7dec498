"""History as a source for PromQL: each selector asked in cells, from rollups where they fit.

One question for history has up to SERIES_ASKED series; what its buckets do not tell, where some
readings are no numbers, is made of the readings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.lake.names import Name
from cloud.lake.table.schema import ROLLUP_1D, ROLLUP_1H, ROLLUP_1M, TableSpec
from cloud.live.joined import JoinedBook
from cloud.promql.cells import Cells, Values, cells_of, cells_of_readings, looked_at, told
from cloud.promql.evaluate import Frame, Labels
from cloud.promql.stale import stale_us
from cloud.promql.steps import Layout, Steps, layout
from cloud.promql.tree import Selector
from cloud.query.history import Ask, History
from cloud.query.one import TooManyReadings
from cloud.query.plan import Buckets, Resolution, expected
from cloud.query.rows import BucketSeries, More, RawSeries
from cloud.rollup.partials import DENSE_US
from cloud.serve.prometheus.labelled import Labelled, Table
from cloud.serve.prometheus.params import TooMuch
from cloud.serve.site import Site

SERIES_MAX: Final = 1_000
"""Series of one selector, but those of which the very last reading is asked for."""
VALUES_MAX: Final = 1_000_000
"""Series times steps: some 30 MB of JSON."""
READINGS_MAX: Final = 10_000_000
"""Readings and rows of rollups that one query may take, about: seconds of one core."""
RAW_MAX: Final = 1_000_000
"""Readings that one query may take out of history one by one."""
CELLS_MAX: Final = 50_000_000
"""Cells of all windows, which overlap where a range is longer than the step."""
SERIES_ASKED: Final = 100
_RISES: Final = frozenset({"rate", "increase"})
_ENDS: Final = frozenset({"", "last_over_time", *_RISES})
"""What depends on when a cell's first and last readings came."""
_LEAD: Final = frozenset({"", *_RISES})
"""What depends on the last reading before."""


@dataclass(frozen=True, slots=True, eq=False)
class _Picked:
    """Series of a selector: ``at`` are their rows of the table, ``stale`` when each goes stale."""

    table: Table
    at: NDArray[np.int64]
    stale: NDArray[np.int64]

    @property
    def names(self) -> list[Name]:
        return [self.table.known.names[row] for row in self.at.tolist()]

    @property
    def labels(self) -> Sequence[Labels]:
        return self.table.labels(self.at.tolist())

    def some(self, rows: NDArray[np.int64]) -> "_Picked":
        """Some of them."""
        return _Picked(self.table, self.at[rows], self.stale[rows])


class HistorySource:
    """Answers one query, and counts what it takes; what its reader should know is in `warnings`."""

    def __init__(self, site: Site, labelled: Labelled) -> None:
        self._site = site
        self._book: JoinedBook = site.shown.book()
        self._labelled = labelled
        self._readings = self._raw = self._cells = 0
        self.warnings: list[str] = []

    def frame(self, selector: Selector, function: str, steps: Steps) -> Frame:
        """As `evaluate.Source.frame`. TooMuch beyond a bound."""
        picked = self._picked(selector, steps)
        rows = len(picked.at)
        if rows * steps.count > VALUES_MAX:
            message = f"{rows} series at {steps.count} steps are more than {VALUES_MAX} values"
            most = VALUES_MAX // rows
            raise TooMuch(message, f"ask for fewer {'steps or ' if most else ''}series")
        values, there = _now(picked, selector, steps)
        rest = np.flatnonzero(~_is_last(picked, selector, steps))
        if len(rest) > SERIES_MAX:
            hint = "name a gateway or a device in `{…}`"
            raise TooMuch(f"{len(rest)} series are more than {SERIES_MAX}", hint)
        asked = picked.some(rest)
        lead = int(asked.stale.max()) if len(rest) and function in _LEAD else 0
        plan = layout(selector, steps, lead)
        buckets = _buckets(plan)
        self._spend(asked, plan, buckets)
        if buckets.tier not in (ROLLUP_1H, ROLLUP_1D):
            hint = "; what is kept of them is told by steps and ranges of whole hours"
            self._warn(asked.names, int(plan.edges[0]), int(plan.edges[-1]), hint)
        for begin in range(0, len(rest), SERIES_ASKED):
            names = asked.names[begin : begin + SERIES_ASKED]
            for at, each in enumerate(self._cells_of(names, function, plan, buckets), begin):
                if selector.width_us:
                    self._look(each, selector, steps)
                stale, row = int(asked.stale[at]), rest[at]
                values[row], there[row] = told(each, selector, function, steps, stale)
        return Frame(picked.labels, values, there)

    def readings(
        self, selector: Selector, at_us: int
    ) -> list[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]]:
        """The numbers of a range themselves: labels, times, values of each series."""
        picked = self._picked(selector, Steps(at_us, 1, 1))
        if len(picked.at) > SERIES_MAX:
            hint = "name a gateway or a device in `{…}`"
            raise TooMuch(f"{len(picked.at)} series are more than {SERIES_MAX}", hint)
        end = at_us - selector.offset_us
        found = []
        for labels, name in zip(picked.labels, picked.names, strict=True):
            cells = self._raw_cells(name, end - selector.width_us, end)
            if len(cells.start):
                found.append((labels, cells.start, cells.last))
        return found

    def _picked(self, selector: Selector, steps: Steps) -> _Picked:
        """The series of a selector that may have a reading for some step."""
        table = self._labelled.table(self._book)
        known, now = table.known, self._site.now_us()
        stale = stale_us(known.readings, known.first_ts, known.last_ts, now)
        begin = steps.start_us - selector.offset_us - selector.width_us - stale
        heard = (known.readings > 0) & (known.last_ts >= begin)
        heard &= known.first_ts <= steps.end_us - selector.offset_us
        at = np.flatnonzero(table.fulfil(selector.matchers) & heard)
        return _Picked(table, at, stale[at])

    def _spend(self, picked: _Picked, plan: Layout, buckets: Buckets) -> None:
        """Count what will be read. TooMuch when that is too much."""
        start, end = int(plan.edges[0]), int(plan.edges[-1])
        known, at = picked.table.known, picked.at
        rows = expected(known, start, end)[at]
        if buckets.tier is not None:
            in_rollup = np.full(len(at), (end - start) / buckets.tier.width_us)
            between = (known.last_ts - known.first_ts)[at] / np.maximum(known.readings[at], 1)
            # Only a dense series has a rollup of minutes.
            has = (between < DENSE_US) | (buckets.tier is not ROLLUP_1M)
            rows = np.where(has, np.minimum(rows, in_rollup), rows)
        self._readings += int(rows.sum())
        if self._readings > READINGS_MAX:
            raise TooMuch(
                f"it takes some {self._readings} readings, more than {READINGS_MAX}",
                "ask for fewer series or a shorter time; steps and ranges of whole minutes, hours"
                " or days are told by rollups, and need no readings",
            )

    def _look(self, cells: Cells, selector: Selector, steps: Steps) -> None:
        self._cells += looked_at(cells, selector, steps)
        if self._cells > CELLS_MAX:
            message = "its ranges overlap too much: they are far longer than the step"
            raise TooMuch(message, "ask for fewer steps, or for a shorter range")

    def _warn(self, names: Sequence[Name], start_us: int, end_us: int, hint: str) -> None:
        """Say that retention removed readings of which the answer is made, where it did."""
        view = self._site.live.view
        stored = (part.id for name in names for part in self._book.parts(name))
        message = f"retention removed readings of this time{hint}"
        lost = bool(view.retired.hulls) and view.has_lost(stored, start_us, end_us)
        if lost and message not in self.warnings:
            self.warnings.append(message)

    def _cells_of(
        self, names: Sequence[Name], function: str, plan: Layout, buckets: Buckets
    ) -> list[Cells]:
        start, end = int(plan.edges[0]), int(plan.edges[-1])
        ask = Ask(
            tuple(name.id for name in names), start, end, grid=buckets, joined=self._book.resolver,
            more=frozenset({More.INCREASE}) if function in _RISES else frozenset(),
            ends=function in _ENDS,
        )  # fmt: skip
        found = []
        for name, series in zip(names, self._history(ask).series, strict=True):
            assert isinstance(series, BucketSeries)
            found.append(cells_of(series.partials) or self._raw_cells(name, start, end))
        return found

    def _raw_cells(self, name: Name, start_us: int, end_us: int) -> Cells:
        """A cell a reading, for what buckets do not tell."""
        self._warn([name], start_us, end_us, "")
        left = RAW_MAX - self._raw
        ask = Ask(
            (name.id,), start_us, end_us, resolution=Resolution.RAW, limit=max(left, 1),
            joined=self._book.resolver,
        )  # fmt: skip
        answer = self._history(ask)
        (series,) = answer.series
        assert isinstance(series, RawSeries)
        self._raw += len(series.ts)
        if answer.next is not None or self._raw > RAW_MAX:
            message = f"it takes more than {RAW_MAX} readings one by one"
            raise TooMuch(message, "ask for fewer series, or for a shorter time")
        return cells_of_readings(series.ts, series.value)

    def _history(self, ask: Ask) -> History:
        try:
            return self._site.query.history(ask)
        except TooManyReadings as error:
            message = f"it takes {error} readings that no rollup tells"
            raise TooMuch(message, "ask for a shorter time or fewer series") from error


def _is_last(picked: _Picked, selector: Selector, steps: Steps) -> NDArray[np.bool_]:
    """Of which series the very last reading is asked for at all steps: it is known in memory."""
    known, at = picked.table.known, picked.at
    if selector.width_us:
        return np.zeros(len(at), bool)
    is_number = ~np.isnan(known.last_value[at])
    found: NDArray[np.bool_] = known.last_ts[at] <= steps.start_us - selector.offset_us
    return found & is_number


def _now(picked: _Picked, selector: Selector, steps: Steps) -> Values:
    """The very last reading of each series at all steps, as long as it is not stale."""
    last_ts = picked.table.known.last_ts[picked.at]
    age = steps.before(selector.offset_us).times[np.newaxis] - last_ts[:, np.newaxis]
    value = np.repeat(picked.table.known.last_value[picked.at][:, np.newaxis], steps.count, 1)
    return value + 0.0, age < picked.stale[:, np.newaxis]


def _buckets(plan: Layout) -> Buckets:
    """The cells as buckets of history, made from the coarsest rollup that fills them."""
    edges = plan.edges
    unit = int(np.gcd.reduce([plan.unit_us, int(edges[-1] - edges[0]), *edges[-2:].tolist()]))
    widths = np.diff(edges)
    tier = _tier(unit)
    name = tier.name if tier is not None else "raw"
    width = int(widths[0])
    if (widths == width).all() and edges[0] % width == 0:
        return Buckets(width, tier, name)
    return Buckets(0, tier, name, edges)


def _tier(unit_us: int) -> TableSpec | None:
    for tier in (ROLLUP_1D, ROLLUP_1H, ROLLUP_1M):
        if unit_us % tier.width_us == 0:
            return tier
    return None
