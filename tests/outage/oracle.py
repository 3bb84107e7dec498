"""Accounts for every reading of an outage: in the journal once, by value, or in a Gap's count."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protos.records import Batch, Kind
from tests.outage.plant import POLL_US, START_US, Plant, has_anomaly, values


@dataclass(frozen=True, slots=True)
class GapSeen:
    """A Gap as it arrived; times in µs UTC, both included."""

    from_us: int
    to_us: int
    count: int
    reason: int


@dataclass
class Oracle:
    """Fed with the rows of each stored block; its memory is taken at once, however long it runs.

    ``wrong`` counts readings that are none of the plant's, ``ages_us`` how old readings were when
    they were stored, of those that were polled after `live_from`.
    """

    plant: Plant
    polls_max: int
    live_from: int = 0
    live_to: int = 1 << 60
    wrong: int = 0
    doubled: int = 0
    delivered: int = 0
    gaps: list[GapSeen] = field(default_factory=list)
    anomalies: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        size = self.polls_max * self.plant.series
        self.seen: NDArray[np.bool_] = np.full(size, fill_value=False)
        self.ages_us: NDArray[np.int64] = np.full(self.polls_max, -1, np.int64)

    def stored(self, batch: Batch, stored_us: int) -> list[GapSeen]:
        """Take in the rows of a block that was stored at that time; the Gaps among them."""
        rows = batch.kind(Kind.NUMBERS)
        self._numbers(rows["series"], rows["ts"], rows["value"], stored_us)
        scores = batch.kind(Kind.SCORES)
        self.anomalies.update(((scores["ts"] - START_US) // POLL_US).tolist())
        told = batch.kind(Kind.GAPS)
        columns = (told[name].tolist() for name in ("ts", "to", "count", "reason"))
        gaps = [GapSeen(*row) for row in zip(*columns, strict=True)]
        self.gaps += gaps
        return gaps

    def _numbers(self, series: Any, ts: Any, value: Any, stored_us: int) -> None:
        if not len(ts):
            return
        polls = (ts - START_US) // POLL_US
        right = (polls >= 0) & (polls < self.polls_max) & (series <= self.plant.series)
        right &= (self.plant.times(polls, series) == ts) & (values(polls, series) == value)
        self.wrong += int(len(ts) - right.sum())
        polls, series = polls[right], series[right]
        place = polls * self.plant.series + series - 1
        self.doubled += int(self.seen[place].sum()) + len(place) - len(np.unique(place))
        self.seen[place] = True
        self.delivered += len(place)
        is_live = (polls >= self.live_from) & (polls < self.live_to)
        np.maximum.at(self.ages_us, polls[is_live], stored_us - ts[right][is_live])

    def live_ages_s(self) -> NDArray[np.float64]:
        """The age of the oldest reading of each live poll when it was stored."""
        ages: NDArray[np.float64] = self.ages_us[self.live_from : self.live_to] / 1e6
        return ages

    def unaccounted(self, polls: int) -> list[str]:
        """What is wrong once all of the first ``polls`` polls were collected and delivered."""
        faults = []
        wide = self.seen[: polls * self.plant.series].reshape(polls, self.plant.series)
        missing = np.flatnonzero(~wide.all(axis=1))
        lost = int((~wide).sum())
        told = sum(gap.count for gap in self.gaps)
        if lost != told:
            faults.append(f"{lost} readings are missing, the Gaps tell of {told}")
        for gap in self.gaps:
            first, last = ((at - START_US) // POLL_US for at in (gap.from_us, gap.to_us))
            within = int((~wide[first : last + 1]).sum())
            if within != gap.count:
                faults.append(f"{gap}: {within} readings are missing in its range")
        outside = [
            int(poll) for poll in missing
            if not any(gap.from_us <= START_US + int(poll) * POLL_US + POLL_US - 1
                       and START_US + int(poll) * POLL_US <= gap.to_us for gap in self.gaps)
        ] if len(missing) else []  # fmt: skip
        if outside:
            faults.append(f"{len(outside)} polls are missing outside every Gap: {outside[:3]}")
        gone = [p for p in range(polls) if has_anomaly(p) and p not in self.anomalies]
        if gone:
            faults.append(f"{len(gone)} anomalies were let go before ordinary readings: {gone[:3]}")
        if self.wrong:
            faults.append(f"{self.wrong} readings are none that a sensor said")
        if self.doubled:
            faults.append(f"{self.doubled} readings were stored twice")
        return faults
