"""The faults of disks: without power, dead, full, slow, or failing once."""

import random
import threading
import time
from dataclasses import dataclass, field

from tests.crash.disk import InMemory
from tests.crash.faults import POINT_PATIENCE_S
from tests.crash.orders import Do, Moment
from tests.crash.site import Site, StuckError, await_until, say

ENDS_BY_ITSELF_S = 20.0


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
    """Every call to the disk gets EIO from now on.

    The edge has to end by itself, for it writes all the time; the cloud too, or it says that it is
    not well: while no gateway is connected it has no block to write.
    """

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
        except StuckError:
            if self.half == "edge" or not site.cloud_is_unwell():
                raise
            say("the cloud did not end for its dead disk, but says that it is not well")
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
        while not self._over.wait(0.05) and not site.closing:
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
