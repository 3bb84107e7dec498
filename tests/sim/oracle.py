"""What must hold in every moment of a simulated world: it accounts for every acknowledged chunk."""

from collections.abc import Iterable

from cloud.journal.cursor import CLOSED_EPOCHS_MAX
from protos.block import GENESIS_HASH
from tests.sim.aggregator import Cloud
from tests.sim.card import Stored, Unit
from tests.sim.gateway import Gateway


class Oracle:
    """Looks at the disks of all parties, whenever one of them has changed.

    An acknowledged chunk is on its card; or durable in journal, lake or quarantine, once; or in a
    Gap whose chunk is one of these; or it went with a cloud that was lost whole.
    """

    def __init__(self, cloud: Cloud, machines: list[Gateway]) -> None:
        self.cloud = cloud
        self.machines = machines
        self.owner: dict[Unit, Gateway] = {}  # of chunks taken in since there are two machines
        self.went_with_cloud: set[Unit] = set()
        self.owed: dict[int, int] = {}  # epoch -> seq up to which the cursor must know a Gap
        self.epoch_seen = 0
        self.seen: tuple[int, ...] = ()
        self._looked_at: list[Stored] = []
        self._held: set[Unit] = set()
        self._ends: dict[int, tuple[int, bytes]] = {}
        self._owners: dict[int, Gateway] = {}

    def taken_in(self, machine: Gateway, units: Iterable[Unit]) -> None:
        if len(self.machines) > 1:
            self.owner.update(dict.fromkeys(units, machine))

    def durable(self) -> set[Unit]:
        """What the cloud has made durable, in journal or lake."""
        return self._held

    def cloned(self) -> None:
        """What is on the card belongs to both machines from now on."""
        self.owner.clear()
        self._owners.clear()

    def stepped_back(self) -> None:
        self.owed.clear()

    def before_restore(self) -> None:
        """The cloud is about to forget; what was archived and deleted since its copy is a Gap."""
        self.owed.clear()
        if len(self.machines) == 1:
            buffer = self.machines[0].buffer
            state = buffer.state()
            if buffer.epoch and state.oldest_kept > 1:
                self.owed[buffer.epoch] = state.oldest_kept - 1

    def after_restore(self) -> None:
        self._check_cloud()
        for machine in self.machines:
            copies = [(machine.buffer, machine.expected), *machine.copies]
            if machine.unsynced is not None:
                copies.append(machine.unsynced)
            for buffer, expected in copies:  # a card that is set back later has lost them as well
                self.went_with_cloud |= expected - buffer.holds() - self.durable()

    def check(self) -> None:
        """To be called after every step."""
        seen = (self.cloud.changes, *(machine.buffer.changes for machine in self.machines))
        if seen == self.seen:
            return
        if seen[:1] != self.seen[:1]:
            self._check_cloud()
        self.seen = seen
        for machine in self.machines:
            self._check_machine(machine)

    def all_is_archived(self) -> None:
        """Nothing waits any more: each chunk is in the lake, in quarantine, or in a Gap of it."""
        cloud, lake = self.cloud, self.cloud.lake
        assert lake.offset == cloud.disk.archived == len(cloud.disk.blocks), "not all is archived"
        assert not lake.rows & lake.quarantined, "a chunk is in two classes"
        for machine in self.machines:
            lost = machine.expected - self._accounted(machine, lake.rows | lake.quarantined)
            assert not lost, f"lost {len(lost)} chunks"
        closed = cloud.disk.cursor.closed
        known = {past.epoch: max(past.deleted, past.stored) for past in closed}
        if len(closed) < CLOSED_EPOCHS_MAX:
            for epoch, seq in self.owed.items():
                assert known.get(epoch, 0) >= seq, "what was deleted is in no Gap"
                cloud.reached["gap of a lost journal"] += 1

    def _accounted(self, machine: Gateway, held: set[Unit]) -> set[Unit]:
        gaps = (lost for gap, lost in machine.gaps.items() if gap in held)
        return held.union(self.went_with_cloud, *gaps)

    def _check_cloud(self) -> None:
        """Look at what is new of the journal, or at all of it once it is another one."""
        disk, lake = self.cloud.disk, self.cloud.lake
        known = len(self._looked_at)
        if self._looked_at != disk.blocks[:known]:
            self._ends, self._owners, self._looked_at, known = {}, {}, [], 0
            self._held = lake.rows | lake.quarantined
        for offset in range(known, len(disk.blocks)):
            self._check_block(disk.blocks[offset], is_new=offset >= lake.offset)
        self._looked_at = disk.blocks
        assert not lake.doubled, "a chunk is in history twice"
        assert disk.cursor.epoch >= self.epoch_seen, "an epoch fell"
        self.epoch_seen = disk.cursor.epoch
        assert disk.archived <= lake.offset, "archived runs past the table"

    def _check_block(self, block: Stored, *, is_new: bool) -> None:
        header = block.header
        past = self._ends.get(header.epoch, (0, GENESIS_HASH))
        is_next = (header.seq - 1, header.prev_hash) == past
        assert is_next, "the stored chain has a hole"
        self._ends[header.epoch] = (header.seq, block.hash)
        for unit in block.units:
            assert not (is_new and unit in self._held), "a chunk is stored twice"
            self._held.add(unit)
            owner = self.owner.get(unit)
            if owner is not None:
                mixed = self._owners.setdefault(header.epoch, owner) is not owner
                assert not mixed, "two machines are mixed in one epoch"

    def _check_machine(self, machine: Gateway) -> None:
        buffer, disk = machine.buffer, self.cloud.disk
        on_card = buffer.holds()
        if buffer.generation not in (0, disk.generation):  # let go, and its cloud is no more
            self.went_with_cloud |= machine.released - self.durable()
        missing = machine.expected - on_card
        if not missing <= self.durable():
            held = on_card | self.durable()
            lost = machine.expected - self._accounted(machine, held)
            assert not lost, "a gateway deleted what is not durable in the cloud"
        if buffer.generation in (0, disk.generation):
            self._check_acks(machine)

    def _check_acks(self, machine: Gateway) -> None:
        cursor, buffer = self.cloud.disk.cursor, machine.buffer
        stored = {past.epoch: past.stored for past in cursor.closed}
        stored[cursor.epoch] = cursor.stored
        if buffer.epoch >= min(stored):
            assert buffer.stored <= stored.get(buffer.epoch, 0), "an ack ran past the fsync"
        if buffer.epoch > cursor.pardon:  # a pardoned epoch counts as not stored at all
            self._check_window(machine)

    def _check_window(self, machine: Gateway) -> None:
        waiting = machine.buffer.waiting(self.durable())
        assert sum(waiting[1:]) <= self.cloud.window_bytes, "more is sealed than the window allows"
