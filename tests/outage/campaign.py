"""One long outage: online for a while, the cloud away for days, then a line and all of it drained.

The gateway has the real buffer, sealed on a real disk, and the real session; the cloud the real
journal. Time, line and sensors are simulated. The line is ten times what live readings took of it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from cloud.journal.contract import Entry
from cloud.journal.sqlite.writer import JournalLimits
from edge.store.limits import StoreLimits
from protos.block import read_block
from protos.limits import MIB, WINDOW_BYTES_DEFAULT
from tests.outage.aggregator import ARCHIVE_US, Cloud
from tests.outage.clockwork import Clockwork
from tests.outage.gateway import Gateway
from tests.outage.memory import Peak
from tests.outage.oracle import Oracle
from tests.outage.plant import POLL_US, START_US, Plant

ONLINE_S: Final = 600
SETTLE_S: Final = 60
"""Of them at the beginning not measured: series are declared, the line gets known."""
LATENCY_US: Final = 50_000
LINE_FIRST_BYTES_S: Final = 1_000_000.0
LINE_TIMES: Final = 10
RESTARTS: Final = 2
LOOK_EVERY: Final = 1000
DRAIN_FACTOR_MAX: Final = 2
"""A backlog is given up after so many times the outage."""
ETA_TOLD_FROM_S: Final = 30
WATCH_US: Final = 10_000_000
ETA_LINES: Final = 20


@dataclass
class Outage:
    """One run; `run` gives the figures, ``faults`` what is not as promised."""

    folder: Path
    readings: int
    days: float
    cap_bytes: int
    parts: int = 20
    say: Callable[[str], None] = print
    etas: list[tuple[int, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.polls_away = round(self.days * 86_400e6 / POLL_US)
        self.plant = Plant(max(8, round(self.readings / self.polls_away)), self.parts)
        polls_max = (1 + DRAIN_FACTOR_MAX) * self.polls_away + 10 * ONLINE_S
        self.oracle = Oracle(self.plant, polls_max)
        self.clock = Clockwork(START_US)
        self.gateway = Gateway(self.clock, self.plant, self.folder, self.cap_bytes)
        self._shown_us = 0

    def run(self) -> dict[str, Any]:
        """All of it; the figures."""
        began = time.monotonic()
        self.gateway.open()
        self.cloud = Cloud(self.clock, self.folder / "journal", self._stored)
        live_bytes_s = self._online()
        peak = Peak()
        self._away()
        drained_s = self._drain(live_bytes_s * LINE_TIMES)
        rss = peak.grown_bytes()
        gap_readings = sum(gap.count for gap in self.oracle.gaps)
        self.faults += self.oracle.unaccounted(self.gateway.polls)
        ages = self.oracle.live_ages_s()
        told = {
            "readings": self.polls_away * self.plant.series,
            "days": round(self.polls_away * POLL_US / 86_400e6, 3),
            "cap_mb": _mb(self.cap_bytes),
            "buffer_mb_max": _mb(self.gateway.largest_bytes),
            "gaps": len(self.oracle.gaps),
            "gap_readings": gap_readings,
            "collected": self.gateway.polls * self.plant.series,
            "delivered": self.oracle.delivered,
            "lost": self.gateway.polls * self.plant.series - self.oracle.delivered - gap_readings,
            "doubled": self.oracle.doubled,
            "blocks": self.gateway.blocks,
            "live_bytes_per_s": round(live_bytes_s),
            "link_bytes_per_s": round(live_bytes_s * LINE_TIMES),
            **self._eta_errors(drained_s),
            "live_polls": len(ages),
            "live_age_s_max": round(float(ages.max()), 3),
            "live_age_s_p99": round(float(np.quantile(ages, 0.99)), 3),
            "live_age_s_p50": round(float(np.quantile(ages, 0.5)), 3),
            "rss_mb_peak": _mb(rss),
            "rss_mb_bound": _mb(bound_bytes(self.cap_bytes)),
            "drained_in_days": round(drained_s / 86_400, 3),
            "seconds": round(time.monotonic() - began),
        }
        self.gateway.store.close()
        self.cloud.journal.close()
        self._judge(told)
        return told

    def _online(self) -> float:
        """Bytes a second that live readings take while nothing waits."""
        up = self.cloud.line(self.gateway, LINE_FIRST_BYTES_S, LATENCY_US)
        self.clock.at(self.plant.heard_us(0), self.gateway.poll_on_time)
        self.clock.run_until(START_US + SETTLE_S * 1_000_000)
        before = up.carried
        self.clock.run_until(START_US + ONLINE_S * 1_000_000)
        rate = (up.carried - before) / (ONLINE_S - SETTLE_S)
        self.say(f"live: {self.plant.series} series every 5 s are {rate:.0f} B/s on the line")
        self.gateway.is_collecting = False
        self.clock.run_until(self.clock.now_us + 2 * ARCHIVE_US)
        self.gateway.is_collecting = True
        self.gateway.disconnect()
        return rate

    def _away(self) -> None:
        """The cloud is away: the plant is collected as fast as the machine can."""
        gateway, began = self.gateway, time.monotonic()
        first = gateway.polls
        restarts = {first + self.polls_away * n // (RESTARTS + 1) for n in range(1, RESTARTS + 1)}
        for poll in range(first, first + self.polls_away):
            if poll in restarts:
                gateway.reopen()
            gateway.poll()
            if poll % LOOK_EVERY == 0:
                gateway.look_at_size()
            if (poll - first) % max(1, self.polls_away // 10) == 0:
                self._tell_away(poll - first, time.monotonic() - began)
        self._tell_away(self.polls_away, time.monotonic() - began)

    def _tell_away(self, polls: int, seconds: float) -> None:
        stats = self.gateway.look_at_size()
        self.say(
            f"away for {polls * POLL_US / 86_400e6:.2f} days: {stats.unsealed_rows:,} rows in "
            f"{_mb(stats.file_bytes + stats.wal_bytes)} MB, "
            f"{stats.counters.get('evicted', 0):,} evicted ({seconds:.0f} s)"
        )

    def _drain(self, bytes_per_s: float) -> float:
        """Reconnect, and go on until nothing waits any more; seconds that this took."""
        gateway, clock = self.gateway, self.clock
        back_us = self.plant.heard_us(gateway.polls) - POLL_US // 2
        clock.leap(back_us)
        self.cloud.start()
        self.oracle.live_from = gateway.polls
        clock.at(self.plant.heard_us(gateway.polls), gateway.poll_on_time)
        self.cloud.line(gateway, bytes_per_s, LATENCY_US)
        self._began = time.monotonic()
        self._watch(back_us)
        end_us = back_us + DRAIN_FACTOR_MAX * self.polls_away * POLL_US
        if not clock.run_until(end_us, lambda: self._is_through or gateway.session is None):
            self.faults.append("the backlog did not drain")
        if gateway.session is None:
            self.faults.append(f"the session ended: {gateway.closed}")
        drained_s = (clock.now_us - back_us) / 1e6
        self.oracle.live_to = gateway.polls
        self.say(f"drained in {drained_s / 86_400:.3f} days, in {gateway.blocks} blocks")
        clock.run_until(clock.now_us + ARCHIVE_US - 1)  # what was collected last is stored …
        gateway.is_collecting = False
        clock.run_until(clock.now_us + 4 * ARCHIVE_US)  # … and archived
        if gateway.session is None or not gateway.session.drained:
            self.faults.append("not all is archived at the end")
        return drained_s

    @property
    def _is_through(self) -> bool:
        return self.gateway.eta_s == 0.0

    def _watch(self, back_us: int) -> None:
        """Every so often: what `status` would say of the time that is left."""
        gateway = self.gateway
        eta_s, passed_s = gateway.eta_s, (self.clock.now_us - back_us) // 1_000_000
        if eta_s is not None:
            self.etas.append((passed_s, eta_s))
        whole = self.polls_away * POLL_US / 9 / ETA_LINES  # a drain takes about a ninth
        if self.clock.now_us - self._shown_us >= whole:
            self._shown_us = self.clock.now_us
            stats = gateway.look_at_size()
            left = "nobody knows yet" if eta_s is None else f"through in {eta_s / 3600:.2f} h"
            self.say(
                f"draining for {passed_s / 3600:.2f} h: {stats.unsealed_rows:,} rows wait, {left}"
                f" ({time.monotonic() - self._began:.0f} s)"
            )
        self.clock.after(WATCH_US, lambda: self._watch(back_us))

    def _stored(self, entry: Entry) -> None:
        _, _, batch = read_block(entry.data)
        for gap in self.oracle.stored(batch, entry.stored_us):
            span = (gap.to_us - gap.from_us) / 86_400e6
            begin = (gap.from_us - START_US) / 86_400e6
            self.say(f"Gap from day {begin:.3f} for {span:.3f} days: {gap.count:,} readings, "
                     f"reason {gap.reason}")  # fmt: skip

    def _eta_errors(self, drained_s: float) -> dict[str, float]:
        """How far the told time was from the real one, as a share of the real one."""
        errors = [
            abs(eta_s - (drained_s - at_s)) / (drained_s - at_s)
            for at_s, eta_s in self.etas
            if at_s >= ETA_TOLD_FROM_S and drained_s - at_s > ETA_TOLD_FROM_S
        ]
        if not errors:
            self.faults.append("no ETA was told")
            return {}
        return {
            "eta_error": round(float(np.quantile(errors, 0.5)), 3),
            "eta_error_p99": round(float(np.quantile(errors, 0.99)), 3),
            "eta_told_after_s": self.etas[0][0],
        }

    def _judge(self, told: dict[str, Any]) -> None:
        if told["live_age_s_max"] >= 2:
            self.faults.append(f"a live reading was {told['live_age_s_max']} s old when stored")
        if float(self.oracle.live_ages_s().min()) < 0:
            self.faults.append("a live reading was never stored")
        if told["buffer_mb_max"] > told["cap_mb"]:
            self.faults.append("the buffer was larger than its cap")
        if told["rss_mb_peak"] > told["rss_mb_bound"]:
            self.faults.append("more memory was taken than is configured")
        if not told["gaps"]:
            self.faults.append("the cap was never reached: nothing was shown of Gaps")


def bound_bytes(cap_bytes: int) -> int:
    """What both halves may hold of this gateway in memory: their queues, a window, one commit."""
    edge, cloud = StoreLimits(bytes_max=cap_bytes), JournalLimits()
    queues = edge.queue_bytes_max + cloud.queue_bytes_max + cloud.commit_bytes_max
    return queues + WINDOW_BYTES_DEFAULT


def _mb(size: int) -> float:
    return round(size / MIB, 1)
