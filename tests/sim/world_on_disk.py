"""A world whose gateways and cloud keep what they have on real, failing disks."""

from itertools import count

from edge.store.limits import StoreLimits
from edge.when_full import WhenFull
from protos.limits import MIB
from tests.crash.power import Drive
from tests.sim.aggregator import Cloud
from tests.sim.card import Buffer, Unit
from tests.sim.card_on_disk import Image, Narrow
from tests.sim.cloud_on_disk import LIMITS, SMALL, CloudOnDisk
from tests.sim.disks import CUT_SOON_STEPS, Disks
from tests.sim.gateway import Gateway
from tests.sim.gateway_on_disk import GatewayOnDisk
from tests.sim.lake_on_disk import CloudWithLake
from tests.sim.world import DAILY, OF_THE_CARD, World

WINDOWS_BYTES = (600, 4_000, 70_000)
OF_A_DISK = {"power soon", "cloud soon", "disk full", "journal's disk full"}
FULL_STEPS_MAX = 200
DRAIN_EVERY = 20
ZOMBIES = 6
TEND_SHARE = 0.05


class WorldOnDisk(World):
    """The same world, and faults that only a disk has. ``full``: steps
    until each has room again."""

    def __init__(self, seed: int, disks: Disks, *, has_lake: bool) -> None:
        self.disks, self.has_lake = disks, has_lake
        self.known: dict[bytes, tuple[Unit, ...]] = {}
        self.full: dict[Drive, int] = {}
        super().__init__(seed)
        self.kinds += [*sorted(OF_A_DISK), "power soon", "cloud soon"]
        if has_lake:
            self.kinds += ["zombie"] * ZOMBIES

    def found(self) -> Cloud:
        """Where cards go back in time nothing is trimmed: what is gone cannot be named (0021)."""
        if "journal lost" in self.kinds:
            self.kinds = [*DAILY, "backup", "restore"]
        self.trims = not set(OF_THE_CARD) & set(self.kinds)
        limits = SMALL if self.trims and self.chance.random() < 0.6 else LIMITS
        kind = CloudWithLake if self.has_lake else CloudOnDisk
        self.site: CloudOnDisk = kind(self.disks.chance, self.disks, self.known, limits)
        return self.site

    def settle(self) -> Gateway:
        self.cloud.window_bytes = self.chance.choice(WINDOWS_BYTES)
        kind = Narrow if self.is_full_often else StoreLimits
        policy = WhenFull.DROP_OLDEST if self.drops_oldest else WhenFull.REJECT
        self.limits = kind(bytes_max=MIB, when_full=policy)
        return GatewayOnDisk(
            self.chance, self.cloud.reached, self.disks, self.limits, count(1), self.known
        )

    def young(self) -> Buffer:
        return Image(self.disks.young, frozenset(), {})  # type: ignore[return-value]

    def work(self) -> None:
        if self.chance.random() >= TEND_SHARE:
            super().work()
        elif self.chance.random() < 0.5:
            self.site.tend(trims=self.trims)
        else:
            on_disk(self.chance.choice(self.machines)).tend()

    def fail_rarely(self, kind: str, machine: Gateway) -> bool:
        match kind:
            case "power soon":
                self.cut_soon(on_disk(machine).buffer.drive)
            case "cloud soon":
                self.cut_soon(self.site.drive)
            case "disk full":
                self.fill(on_disk(machine).buffer.drive)
            case "journal's disk full":
                self.fill(self.site.drive)
            case "restore" if self.backup is not None:
                self.zombie = None  # its tables are those of the home that was moved away
                return super().fail_rarely(kind, machine)
            case "copy stopped":
                twins = self.machines[1:]
                done = super().fail_rarely(kind, machine)
                for twin in twins:
                    on_disk(twin).buffer.throw_away()
                return done
            case _:
                return super().fail_rarely(kind, machine)
        return True

    def cut_soon(self, drive: Drive) -> None:
        """The power goes in the middle of what comes next."""
        drive.cut_at = drive.operations + self.chance.randint(1, CUT_SOON_STEPS)

    def fill(self, drive: Drive) -> None:
        drive.is_full = True
        self.full[drive] = self.chance.randint(1, FULL_STEPS_MAX)

    def bury(self) -> None:
        for machine in self.machines:
            if on_disk(machine).is_dead:
                self.cut_power(machine)
        if self.site.is_dead:
            self.lose_cloud()
        self.full = {drive: left - 1 for drive, left in self.full.items() if left}
        for drive, left in self.full.items():
            drive.is_full = left > 0

    def consolidate(self) -> None:
        super().consolidate()
        self.site.is_dead |= self.site.drive.is_cut

    def drain(self) -> None:
        if not self.has_lake or (
            self.steps % DRAIN_EVERY == 0 and self.site.journal.head() > self.site.lake.offset
        ):
            super().drain()
        self.site.tend(trims=self.trims)

    def heal(self) -> None:
        for drive in self.disks.vfs.drives:
            drive.cut_at, drive.is_full = 0, False
        self.site.heal()
        super().heal()
        self.site.check_all()


def on_disk(machine: Gateway) -> GatewayOnDisk:
    assert isinstance(machine, GatewayOnDisk)
    return machine
