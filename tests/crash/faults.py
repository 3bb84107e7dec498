"""The faults of the campaign: deaths, wrong clocks and bad lines; each begins and ends.

Those of disks are in `tests.crash.faults_disk`; `tests.crash.plan` draws them by seed.
"""

import random
import time
from dataclasses import dataclass
from typing import Protocol

from tests.crash.line import Trouble
from tests.crash.orders import Do, Failpoint, Way
from tests.crash.site import Site, StuckError, await_until

POINT_PATIENCE_S = 30.0


class Fault(Protocol):
    """One kind of fault. ``name`` is what the campaign counts."""

    @property
    def name(self) -> str: ...

    def begin(self, site: Site, chance: random.Random) -> None:
        """Bring it about, or order it."""

    def end(self, site: Site, chance: random.Random) -> bool:
        """Be over; False when what was ordered did not come about."""


@dataclass(slots=True)
class KillAtRandom:
    half: str
    times: int = 1

    @property
    def name(self) -> str:
        return f"kill -9 {self.half}{' twice' if self.times == 2 else ''}"

    def begin(self, site: Site, chance: random.Random) -> None:
        site.kill(self.half)
        for _ in range(self.times - 1):  # while it recovers from the first
            time.sleep(chance.uniform(0.3, 2.5))
            site.kill(self.half)

    def end(self, site: Site, chance: random.Random) -> bool:
        return True


@dataclass(slots=True)
class KillAtPoint:
    """A death at a named step; a half that ended by another fault meanwhile is started again.

    ``powers``: for every second death the power goes as well.
    """

    point: Failpoint
    powers: bool = True

    @property
    def name(self) -> str:
        return self.point.name

    def begin(self, site: Site, chance: random.Random) -> None:
        point, calls = self.point, chance.randint(1, self.point.calls_max)
        orders = site.orders(point.half)
        orders.give(Do.KILL, point.point, point.moment, within=point.within, calls=calls)
        if point.way is Way.STARTING:
            site.kill(point.half)

    def end(self, site: Site, chance: random.Random) -> bool:
        half, orders = self.point.half, site.orders(self.point.half)
        cuts = [time.monotonic()]

        def is_carried_out() -> bool:
            if self.point.way is Way.RECONNECTING and time.monotonic() > cuts[-1] + 1.0:
                site.cloud_line.fail(Trouble.CUT)
                cuts.append(time.monotonic())
            if orders.is_open(Do.KILL):
                site.tend()
            return not orders.is_open(Do.KILL)

        try:
            await_until(f"{self.name} is reached", is_carried_out, POINT_PATIENCE_S)
        except StuckError:
            orders.take_back(Do.KILL)
            site.kill(half)
            return False
        site.kills += 1
        try:
            await_until(f"{half} is dead", lambda: not site.is_running(half), 1.0)
        except StuckError:
            if not site.is_a_childs(self.name):
                # Whoever tended it meanwhile took it for one that ended by itself.
                site.restarts -= 1
        else:
            self._revive(site, chance)
        return True

    def _revive(self, site: Site, chance: random.Random) -> None:
        half = self.point.half
        if self.powers and chance.random() < 0.5 and site.disks[half].mounted:
            site.cut_power(half)
        else:
            site.half(half).start()


@dataclass(slots=True)
class WrongClock:
    """The gateway is started again with a clock that is years off, and then with a right one."""

    clock: str
    library: str

    @property
    def name(self) -> str:
        return f"clock at {self.clock}"

    def begin(self, site: Site, chance: random.Random) -> None:
        fake = (f"LD_PRELOAD={self.library}", f"FAKETIME={self.clock}")
        real = ("DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1")
        command = site.stack.edge.command
        site.kill("edge", lambda: command.__setitem__(slice(1, 1), [*fake, *real]))
        site.recover(60)

    def end(self, site: Site, chance: random.Random) -> bool:
        command = site.stack.edge.command
        site.kill("edge", lambda: command.__delitem__(slice(1, 6)))
        return True


@dataclass(slots=True)
class BadLine:
    to: str
    trouble: Trouble

    @property
    def name(self) -> str:
        return f"{self.trouble.value} on the line to the {self.to}"

    def begin(self, site: Site, chance: random.Random) -> None:
        for _ in range(chance.randint(1, 3) if self.trouble is Trouble.CUT else 1):
            site.lines[self.to].fail(self.trouble)
            time.sleep(chance.uniform(0.2, 1.5))

    def end(self, site: Site, chance: random.Random) -> bool:
        site.lines[self.to].heal()
        return True
