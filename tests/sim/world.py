"""One seeded world: gateways, a cloud, the lines between them, faults, and what must hold.

Every step is one small thing of one party; `check` is called after each. The same seed makes the
same world.
"""

from collections import Counter
from random import Random

from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH
from tests.sim.aggregator import WINDOW_BYTES, Cloud
from tests.sim.gateway import Buffer, Chunk, Gateway, chunks_of
from tests.sim.link import Link

LINES_MAX = 4  # old connections whose messages may still arrive
QUIET_STEPS_MAX = 20_000
FAULTS = ("line", "line", "agent", "power", "cloud", "cloud", "copy", "rewind", "wipe", "clone")


class World:
    """One gateway, and after a `clone` its twin; `faults` counts what went wrong, by kind."""

    def __init__(self, seed: int, cloud: Cloud | None = None) -> None:
        self.chance = Random(seed)
        self.spoils = self.chance.choice((0.0, 0.0, 0.02, 0.2))  # 0: a line as TCP makes it
        self.strain = self.chance.choice((0.0, 0.005, 0.02))  # faults a step
        self.gateway = Gateway(self.chance)
        self.machines = [self.gateway]
        self.owner: dict[Chunk, Gateway] = {}  # of chunks taken in since there are two machines
        self.cloud = cloud or Cloud()
        self.lines: list[Link] = []
        self.faults: Counter[str] = Counter()
        self.epoch_seen = 0
        self.copies: dict[Gateway, list[tuple[Buffer, set[Chunk]]]] = {}

    def run(self, steps: int) -> None:
        """Live with faults, then without until all is archived."""
        for _ in range(steps):
            if self.chance.random() < self.strain:
                self.fail()
            else:
                self.work()
            self.check()
        self.heal()

    def work(self) -> None:
        chance, cloud = self.chance, self.cloud
        machine = chance.choice(self.machines)
        match chance.randrange(12):
            case 0:
                chunk = machine.take_in(names_series=chance.random() < 0.3)
                if len(self.machines) > 1:
                    self.owner[chunk] = machine
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
            case _ if chance.random() < 0.2:
                cloud.consolidate(chance.randint(1, 5))

    def connect(self, machine: Gateway) -> None:
        link = Link(self.chance, self.spoils, self.faults)
        self.lines = [*self.lines, link][-LINES_MAX:]
        machine.connect(link)

    def fail(self) -> None:
        kind = self.chance.choice(FAULTS)
        machine = self.chance.choice(self.machines)
        self.faults[kind] += 1
        match kind:
            case "line":
                machine.disconnect()
            case "agent" | "power":
                machine.crash(power=kind == "power")
            case "cloud":
                self.cloud.crash()
                self.lines.clear()
                for one in self.machines:
                    one.disconnect()
            case "copy":
                copies = self.copies.setdefault(machine, [])
                copies.append((machine.buffer.copy(), set(machine.expected)))
            case "rewind" if machine in self.copies:
                self.step_back(machine, *self.chance.choice(self.copies[machine]))
            case "wipe":
                self.step_back(machine, Buffer(), set())
            case "clone" if len(self.machines) == 1:
                self.machines.append(self.gateway.clone())

    def step_back(self, machine: Gateway, buffer: Buffer, known: set[Chunk]) -> None:
        """What was taken in since the copy is gone, save what the cloud has made durable."""
        sent = machine.expected & set(self.cloud.disk.chunks())
        machine.rewind(buffer, known | sent)

    def heal(self) -> None:
        """No more faults, one machine: the backlog must reach zero, and all of it the lake."""
        self.spoils = 0.0
        self.machines = [self.gateway]
        self.gateway.disconnect()
        self.lines.clear()
        for _ in range(QUIET_STEPS_MAX):
            if self.gateway.link is None:
                self.operate()
                self.connect(self.gateway)
            for link in self.lines:
                self.cloud.hear(link)
            self.cloud.consolidate(5)
            self.cloud.commit()
            self.gateway.hear()
            self.gateway.act()
            self.check()
            if self.gateway.is_idle:
                break
        assert self.gateway.is_idle, f"not drained: {self.gateway.closed[-3:]}"
        assert self.cloud.disk.archived == len(self.cloud.disk.blocks)
        lost = self.gateway.expected - set(self.cloud.disk.chunks())
        assert not lost, f"lost {len(lost)} chunks"

    def operate(self) -> None:
        """The operator, told of a fork or a clone, has stopped the copy."""
        if self.gateway.closed and self.gateway.closed[-1].code in (pb.FORK, pb.CLONE):
            self.cloud.forgive()

    def check(self) -> None:
        """What must hold at every moment."""
        disk = self.cloud.disk
        chunks = disk.chunks()
        durable = set(chunks)
        assert len(chunks) == len(durable), "a chunk is stored twice"
        self.check_chain()
        assert disk.cursor.epoch >= self.epoch_seen, "an epoch fell"
        self.epoch_seen = disk.cursor.epoch
        stored = {past.epoch: past.stored for past in disk.cursor.closed}
        stored[disk.cursor.epoch] = disk.cursor.stored
        for machine in self.machines:
            buffer = machine.buffer
            missing = machine.expected - buffer.holds()
            assert missing <= durable, "a gateway deleted what is not durable in the cloud"
            assert buffer.stored <= stored.get(buffer.epoch, 0), "an ack ran past the fsync"
            waiting = [
                len(block.data)
                for (epoch, seq), block in buffer.blocks.items()
                if epoch == buffer.epoch and seq > buffer.stored
            ]
            assert sum(waiting[1:]) <= WINDOW_BYTES, "more is sealed than the window allows"

    def check_chain(self) -> None:
        ends: dict[int, tuple[int, bytes]] = {}
        owners: dict[int, Gateway] = {}
        for header, found in self.cloud.disk.blocks:
            seq, past = ends.get(header.epoch, (0, GENESIS_HASH))
            assert (header.seq, header.prev_hash) == (seq + 1, past), "the stored chain has a hole"
            ends[header.epoch] = (header.seq, found)
            for chunk in chunks_of(header):
                owner = self.owner.get(chunk)
                if owner is not None:
                    mixed = owners.setdefault(header.epoch, owner) is not owner
                    assert not mixed, "two machines are mixed in one epoch"
