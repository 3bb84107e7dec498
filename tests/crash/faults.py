"""The faults of the campaign: each begins, is held for a moment and ends; all drawn by seed."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from tests.crash.disk import InMemory
from tests.crash.line import Line, Trouble
from tests.crash.orders import Do, Failpoint, Moment, Way
from tests.crash.site import Site, StuckError, await_until

POINT_PATIENCE_S = 30.0
ENDS_BY_ITSELF_S = 20.0


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
        except StuckError:  # whoever tended it meanwhile took it for one that ended by itself
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
class PowerCut:
    half: str

    @property
    def name(self) -> str:
        return f"power cut of {self.half}"

    def begin(self, site: Site, chance: random.Random) -> None:
        site.cut_power(self.half)

    def end(self, site: Site, chance: random.Random) -> bool:
        return True


@dataclass(slots=True)
class DeadDisk:
    """Every call to the disk gets EIO from now on: the half has to end by itself."""

    half: str

    @property
    def name(self) -> str:
        return f"dead disk of {self.half}"

    def begin(self, site: Site, chance: random.Random) -> None:
        site.disks[self.half].cut()

    def end(self, site: Site, chance: random.Random) -> bool:
        try:
            await_until(
                f"{self.half} ends for its dead disk",
                lambda: not site.is_running(self.half),
                ENDS_BY_ITSELF_S,
            )
        finally:
            site.kill(self.half, site.disks[self.half].restore)
            site.power_cuts += 1
        return True


@dataclass(slots=True)
class FullMemory:
    """The home moves to a small tmpfs, which fills up, gets room again, and moves back."""

    half: str

    @property
    def name(self) -> str:
        return f"full tmpfs of {self.half}"

    def begin(self, site: Site, chance: random.Random) -> None:
        disk = site.disks[self.half]
        memory = InMemory(disk.folder, site.folder / f"{self.half}.aside", disk.mib)
        site.kill(self.half, memory.enter)
        try:
            site.recover(60)
            full = FullDisk(self.half)
            full.begin(site, chance)
            time.sleep(chance.uniform(2, 4))
            full.end(site, chance)
            site.recover(90)
        finally:
            site.kill(self.half, memory.leave)

    def end(self, site: Site, chance: random.Random) -> bool:
        return True


@dataclass(slots=True)
class FullDisk:
    """No block is left for a while; the half may refuse or end, and must come back by itself."""

    half: str
    _over: threading.Event = field(default_factory=threading.Event)
    _filler: threading.Thread | None = None

    @property
    def name(self) -> str:
        return f"full disk of {self.half}"

    def begin(self, site: Site, chance: random.Random) -> None:
        self._over.clear()
        self._filler = threading.Thread(target=self._fill, args=(site,), daemon=True)
        self._filler.start()

    def _fill(self, site: Site) -> None:
        while not self._over.wait(0.05):
            site.disks[self.half].fill()

    def end(self, site: Site, chance: random.Random) -> bool:
        self._over.set()
        if self._filler is not None:
            self._filler.join()
        site.disks[self.half].relieve()
        return True


@dataclass(slots=True)
class SlowDisk:
    """Each sync takes as long as on an SD card, and now and then ten times that."""

    half: str

    @property
    def name(self) -> str:
        return f"slow disk of {self.half}"

    def begin(self, site: Site, chance: random.Random) -> None:
        seconds = chance.uniform(0.01, 0.03)
        site.orders(self.half).give(Do.SLOW, "disk:*sync", Moment.BEFORE, seconds=seconds)
        time.sleep(chance.uniform(0.5, 2))

    def end(self, site: Site, chance: random.Random) -> bool:
        site.orders(self.half).take_back(Do.SLOW)
        return True


@dataclass(slots=True)
class FailingDisk:
    """One write or sync gets EIO; then the disk is as before."""

    half: str
    operation: str

    @property
    def name(self) -> str:
        return f"EIO at a {self.operation} of {self.half}"

    def begin(self, site: Site, chance: random.Random) -> None:
        orders, calls = site.orders(self.half), chance.randint(1, 5)
        orders.give(Do.FAIL, f"disk:{self.operation}", Moment.BEFORE, calls=calls)
        time.sleep(chance.uniform(0.1, 1))

    def end(self, site: Site, chance: random.Random) -> bool:
        orders = site.orders(self.half)

        def has_failed() -> bool:
            site.tend()
            return not orders.is_open(Do.FAIL)

        try:
            await_until(f"{self.name} came", has_failed, POINT_PATIENCE_S)
        except StuckError:
            orders.take_back(Do.FAIL)
            return False
        return True


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

    def _line(self, site: Site) -> Line:
        return site.broker_line if self.to == "broker" else site.cloud_line

    def begin(self, site: Site, chance: random.Random) -> None:
        for _ in range(chance.randint(1, 3) if self.trouble is Trouble.CUT else 1):
            self._line(site).fail(self.trouble)
            time.sleep(chance.uniform(0.2, 1.5))

    def end(self, site: Site, chance: random.Random) -> bool:
        self._line(site).heal()
        return True
