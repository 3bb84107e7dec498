"""One seeded world: gateways, a cloud, the lines between them, faults, and time.

Every step is one small thing of one party; the oracle looks after each. The same seed makes the
same world.
"""

from collections import Counter
from random import Random

from protos import sync_pb2 as pb
from tests.sim.aggregator import WINDOWS_BYTES, Cloud, Disk
from tests.sim.card import Buffer, Unit
from tests.sim.gateway import Gateway
from tests.sim.lake import Handle, Lake
from tests.sim.link import Link
from tests.sim.oracle import Oracle

LINES_MAX = 4  # old connections whose messages may still arrive
COPIES_MAX = 4
QUIET_STEPS_MAX = 20_000
STEP_US_MAX = 200_000
YEAR_US = 365 * 86_400_000_000
DAILY = ("line", "line", "stall", "agent", "power", "cloud", "cloud", "clock", "zombie")
OF_THE_CARD = ("copy", "copy", "rewind", "wipe", "clone", "copy stopped", "lie")
FAULTS = {*DAILY, *OF_THE_CARD, "backup", "restore", "journal lost"}
SPOILT = {"lost", "doubled", "reordered"}


class World:
    """One gateway, and after a `clone` its twin; `faults` counts what went wrong, by kind."""

    def __init__(self, seed: int, cloud: Cloud | None = None) -> None:
        chance = self.chance = Random(seed)
        self.spoils = chance.choice((0.0, 0.0, 0.02, 0.2))  # 0: a line as TCP makes it
        self.strain = chance.choice((0.0, 0.005, 0.02))  # faults a step
        self.kinds = [*DAILY]
        match chance.randrange(4):
            case 0:
                self.kinds += ["backup", "journal lost"]  # under a living lake; cards are sound
            case 1:
                self.kinds += [*OF_THE_CARD, "backup", "restore"]
            case _:
                self.kinds += OF_THE_CARD
        self.is_full_often = chance.random() < 0.3
        self.drops_oldest = chance.random() < 0.5
        self.cloud = cloud or self.found()
        self.gateway = self.settle()
        self.machines = [self.gateway]
        self.lines: list[Link] = []
        self.faults: Counter[str] = Counter()
        self.now_us = 1
        self.steps = 0
        self.zombie: tuple[Handle, list, int] | None = None  # type: ignore[type-arg]
        self.backup: tuple[Disk, Lake] | None = None
        self.oracle = Oracle(self.cloud, self.machines)

    def found(self) -> Cloud:
        return Cloud()

    def settle(self) -> Gateway:
        """Make the first gateway, and fit the cloud to this world."""
        self.cloud.window_bytes = self.chance.choice(WINDOWS_BYTES)
        gateway = Gateway(self.chance, self.cloud.reached)
        gateway.is_full_often, gateway.drops_oldest = self.is_full_often, self.drops_oldest
        return gateway

    def run(self, steps: int) -> None:
        """Live with faults, then without until all is archived."""
        for _ in range(steps):
            self.steps += 1
            if self.chance.random() < self.strain:
                self.fail()
            else:
                self.work()
            self.bury()
            self.oracle.check()
        self.heal()

    def bury(self) -> None:
        """Who died in this step begins anew; in a world of rules alone nobody dies in one."""

    def work(self) -> None:
        chance, cloud = self.chance, self.cloud
        machine = chance.choice(self.machines)
        self.now_us += chance.randrange(STEP_US_MAX)
        match chance.randrange(14):
            case 0:
                units = machine.take_in(names_series=chance.random() < 0.3)
                self.oracle.taken_in(machine, units)
            case 1 if machine.link is None:
                self.connect(machine)
            case 1 | 2 | 3 | 4:
                machine.act()
            case 5 | 6 | 7:
                machine.hear()
            case 8 | 9 if self.lines:
                cloud.hear(chance.choice(self.lines))
            case 10:
                cloud.commit()
            case 11:
                machine.look(self.now_us)
            case 12:
                self.free_a_line()
            case _ if chance.random() < 0.3:
                self.consolidate()

    def consolidate(self) -> None:
        cloud, chance = self.cloud, self.chance
        if self.zombie is not None and chance.random() < 0.3:
            cloud.handle, self.zombie = self.zombie, None
        elif cloud.handle is None:
            cloud.plan(chance.randint(1, 5))
            return
        cloud.consolidate()

    def free_a_line(self) -> None:
        """What was stuck on the way arrives after all, perhaps long after."""
        stalled = [link for link in self.lines if link.is_stalled]
        if stalled and self.chance.random() < 0.05:
            self.chance.choice(stalled).is_stalled = False
            self.cloud.reached["delayed"] += 1

    def connect(self, machine: Gateway) -> None:
        link = Link(self.chance, self.spoils, self.faults)
        self.lines = [*self.lines, link][-LINES_MAX:]
        self.now_us += 1
        machine.connect(link, self.now_us)

    def fail(self) -> None:
        kind = self.chance.choice(self.kinds)
        machine = self.chance.choice(self.machines)
        done = True
        match kind:
            case "line":
                machine.disconnect()
            case "stall":
                done = machine.link is not None
                if machine.link is not None:
                    machine.link.is_stalled = True
            case "agent":
                machine.crash(power=False)
            case "power":
                self.cut_power(machine)
            case "cloud":
                self.lose_cloud()
            case "clock":
                machine.wall_us = self.chance.randint(-YEAR_US, 2 * YEAR_US)
                machine.mono_ahead_us = self.chance.choice((0, 0, -1_000_000_000))
            case "zombie":
                self.zombie = self.cloud.handle
                done, self.cloud.handle = self.zombie is not None, None
            case _:
                done = self.fail_rarely(kind, machine)
        self.faults[kind] += done

    def fail_rarely(self, kind: str, machine: Gateway) -> bool:
        match kind:
            case "copy":
                machine.copies = [*machine.copies, machine.keep_copy()][-COPIES_MAX:]
            case "lie":
                machine.unsynced = machine.unsynced or machine.keep_copy()
            case "rewind" if machine.copies:
                self.step_back(machine, *self.chance.choice(machine.copies))
            case "wipe":
                self.step_back(machine, self.young(), set())
            case "clone" if len(self.machines) == 1:
                self.machines.append(self.gateway.clone())
                self.oracle.cloned()
            case "copy stopped" if len(self.machines) > 1:
                del self.machines[1:]
                self.gateway.disconnect()
                self.cloud.forgive()
            case "backup":
                self.backup = self.cloud.backup()
            case "restore" | "journal lost" if self.backup is not None:
                self.oracle.before_restore()
                self.cloud.restore(*self.backup, with_lake=kind == "restore")
                self.lose_cloud()
                self.oracle.after_restore()
            case _:
                return False
        return True

    def young(self) -> Buffer:
        """A card in which nothing was ever kept."""
        return Buffer()

    def cut_power(self, machine: Gateway) -> None:
        if machine.unsynced is not None:
            self.faults["fsync lost"] += 1
            self.step_back(machine, *machine.unsynced)
        machine.crash(power=True)

    def lose_cloud(self) -> None:
        self.cloud.crash()
        self.lines.clear()
        for one in self.machines:
            one.disconnect()

    def step_back(self, machine: Gateway, buffer: Buffer, known: set[Unit]) -> None:
        """What was taken in since the copy is gone, save what the cloud has made durable."""
        sent = machine.expected & self.oracle.durable()
        machine.step_back(buffer, known | sent)
        self.oracle.stepped_back()

    def heal(self) -> None:
        """No more faults, one machine: the backlog must reach zero, and all of it the lake."""
        self.spoils = 0.0
        self.machines[:] = [self.gateway]
        self.gateway.disconnect()
        self.lines.clear()
        for _ in range(QUIET_STEPS_MAX):
            self.steps += 1
            if self.gateway.link is None:
                self.operate()
                self.connect(self.gateway)
            for link in self.lines:
                self.cloud.hear(link)
            self.drain()
            self.cloud.commit()
            self.gateway.hear()
            self.gateway.act()
            self.oracle.check()
            if self.gateway.is_idle:
                break
        assert self.gateway.is_idle, f"not drained: {self.gateway.closed[-3:]}"
        self.cloud.reached["drained"] += 1
        self.oracle.all_is_archived()

    def drain(self) -> None:
        """A committer that nothing disturbs."""
        self.cloud.plan(5)
        self.cloud.consolidate()

    def operate(self) -> None:
        """The operator, told of a fork or a clone, has stopped the copy."""
        if self.gateway.closed and self.gateway.closed[-1].code in (pb.FORK, pb.CLONE):
            self.cloud.forgive()
