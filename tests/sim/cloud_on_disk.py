"""The cloud with its real journal: segments, writer and recovery, over a disk that cuts and tears.

It answers as `tests.sim.aggregator.Cloud` does. `commit` is a turn of the journal's writer; what
became durable is read back from the journal's own files, and told by value.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

import apsw

from cloud.errors import StorageError
from cloud.journal.contract import Entry, JournalOverloadedError
from cloud.journal.cursor import Cursor, Decision, ack
from cloud.journal.sqlite import JournalLimits, SqliteJournal
from cloud.journal.sqlite.quarantine import Cause
from cloud.restore import begin_generation
from protos import sync_pb2 as pb
from protos.block import MalformedBlock, read_block, read_header
from protos.series import decode_entry
from tests.crash.power import Drive
from tests.sim.aggregator import Cloud, Disk
from tests.sim.card import NAME, Stored, Unit, chunks_of
from tests.sim.card_on_disk import units_of
from tests.sim.disks import CUT_SOON_STEPS, Disks, Files
from tests.sim.lake import Lake
from tests.sim.link import Link

SECOND_US = 1_000_000
BEGIN_US = 1_700_000_000 * SECOND_US
OPENING_IS_CUT = 0.2
ALL = 1 << 40
LIMITS = JournalLimits(bytes_max=64 << 20, segment_bytes_max=1 << 20)
SMALL = JournalLimits(bytes_max=4 << 20, segment_bytes_max=1 << 20)
FAILURES = (StorageError, apsw.Error, OSError)


@dataclass
class DiskCopy(Disk):
    """What was durable of the journal, and the files that say it."""

    files: Files | None = None


class CloudOnDisk(Cloud):
    """``known``: what is in a block by its hash, for those that cannot be read. ``drive``: its."""

    def __init__(
        self,
        chance: Random,
        disks: Disks,
        known: dict[bytes, tuple[Unit, ...]],
        limits: JournalLimits = LIMITS,
    ) -> None:
        super().__init__()
        self.chance, self.disks, self.known, self.limits = chance, disks, known, limits
        self.waiting: list[tuple[Link, pb.GatewayMessage, Future[Decision]]] = []
        self.is_dead = False
        self.now_us = BEGIN_US
        self.drive = disks.drive("journal", {})
        self.begin_lake()
        self._start()

    def heal(self) -> None:
        """Nothing fails from now on."""

    def check_all(self) -> None:
        """What holds once all is archived."""

    def begin_lake(self) -> None:
        """Here a lake of rules alone is enough."""

    def _start(self) -> None:
        """As after any start; the power may go while the journal recovers, again and again."""
        while True:
            drive = self.drive
            if self.chance.random() < OPENING_IS_CUT:
                drive.cut_at = drive.operations + self.chance.randint(1, CUT_SOON_STEPS)
            try:
                self.journal = SqliteJournal.open(
                    drive.folder, now_us=self.clock, limits=self.limits
                )
            except FAILURES:
                if not drive.is_cut:
                    raise
                self.drive = self.disks.after_crash("journal", drive)
            else:
                drive.cut_at = 0
                self.journal.subscribe_archived(self._risen)
                self._look_at_all()
                return

    def clock(self) -> int:
        self.now_us += 1
        return self.now_us

    def hear(self, link: Link) -> None:
        if not link.up or link.is_ended or link.is_stalled:
            return
        message, journal = link.up.popleft(), self.journal
        match message.WhichOneof("body"):
            case "hello":
                answer = journal.hello(NAME, message.hello, self.window_bytes)
            case "block":
                block = message.block
                answer = journal.append(NAME, block.session, block.epoch, block.seq, block.data)
            case "declare":
                told = message.declare
                entries = [decode_entry(entry) for entry in told.entries]
                answer = journal.declare(NAME, told.session, told.epoch, told.first, entries)
            case _:
                answer = journal.request_epoch(NAME, message.epoch_request)
        self.waiting.append((link, message, answer))

    def commit(self) -> None:
        """One turn of the writer: all that waits in one transaction, then the answers."""
        if self.is_dead:
            return
        writer = self.journal._writer
        if writer.queue._jobs:
            jobs = writer.queue.take() or []
            try:
                writer._rotate_if_due()
                writer._commit(jobs)
            except FAILURES as error:
                self._failed(error)
                return
            self._look_at_new()
        waiting, self.waiting = self.waiting, []
        for link, message, answer in waiting:
            self._answer(link, message, answer)
        for link, reply in self.unsaid:
            link.tell(reply)
        self.unsaid.clear()

    def _failed(self, error: Exception) -> None:
        assert self.drive.is_cut, f"the journal has failed: {error}"
        self.is_dead = True

    def _answer(self, link: Link, message: pb.GatewayMessage, answer: Future[Decision]) -> None:
        if (error := answer.exception()) is not None:
            is_full = isinstance(error, JournalOverloadedError)
            assert is_full or self.drive.is_full, f"the journal refused: {error}"
            self.reached["journal full"] += 1
            link.is_ended = link.is_broken = True
            return
        decision = answer.result()
        if message.HasField("hello"):
            self.sessions[decision.cursor.session] = link
            self.reached["late hello refused"] += decision.ends and decision.cursor.late > 0
        if message.HasField("block"):
            late = decision.append and message.block.session != decision.cursor.session
            assert not late, "a fenced session has stored a block"
        if decision.alarm is not None:
            self.reached[f"alarm {decision.alarm.name}"] += 1
        self.say(link, decision)

    def _look_at_all(self) -> None:
        """Read the journal as it was opened; what is trimmed was seen before."""
        oldest = self.journal.stats().oldest
        seen, self.disk.blocks = self.disk.blocks[: oldest - 1], []
        assert len(seen) == oldest - 1, "the journal begins behind what was seen of it"
        self.disk.blocks = seen
        self._look_at_new()

    def _look_at_new(self) -> None:
        """Read what was committed from the journal's files."""
        journal, disk = self.journal, self.disk
        for entry in journal.read(len(disk.blocks), ALL) if journal.head() else ():
            assert entry.offset == len(disk.blocks) + 1, "the journal has a hole"
            disk.blocks = [*disk.blocks, self._stored(entry)]
        assert journal.head() == len(disk.blocks), "the journal holds more than it gives"
        disk.cursor = next(iter(journal.cursors()), Cursor(NAME))
        disk.archived, disk.generation = journal.archived(), journal.generation
        self.changes += 1

    def _stored(self, entry: Entry) -> Stored:
        try:
            header, found, batch = read_block(entry.data)
        except MalformedBlock:
            header, found = read_header(entry.data)
            return Stored(header, found, self.known[found], is_poison=True)
        return Stored(header, found, units_of(batch, chunks_of(header)[0]), is_poison=False)

    def _risen(self, cursors: Sequence[Cursor]) -> None:
        for cursor in cursors:
            link = self.sessions.get(cursor.session)
            if link is not None:
                self.unsaid.append((link, ack(cursor)))

    def follow(self) -> None:
        offset = min(self.lake.offset, len(self.disk.blocks))
        if offset > self.journal.archived():
            self.journal.mark_archived(offset)

    def forgive(self) -> None:
        answer = self.journal.forgive(NAME)
        self.commit()
        if not self.is_dead and not isinstance(answer.exception(), KeyError):
            self.reached["forgiven"] += 1

    def tend(self, *, trims: bool) -> None:
        """Sealed segments are settled, and unlinked once they are archived."""
        try:
            self.journal._sealed._settler.work()  # type: ignore[attr-defined]
            before = self.journal.stats().oldest
            if trims:
                self.journal.trim()
            self.reached["segment trimmed"] += self.journal.stats().oldest > before
        except FAILURES as error:
            self._failed(error)
        if self.journal.failure is not None:
            self._failed(self.journal.failure)

    def crash(self) -> None:
        """The process is killed, or the power goes, unless it is gone already."""
        if self.chance.random() < 0.5:
            self.drive.cut()
        self._end()
        self.drive = self.disks.after_crash("journal", self.drive)
        self._start()

    def _end(self) -> None:
        was_cut, self.drive.is_cut = self.drive.is_cut, True
        journal = self.journal
        for close in (
            journal._writer._past.close,
            journal._writer._connection.close,
            journal._readers.close,
            journal.quarantined_blocks.close,
            journal._found.lock.close,
        ):
            with suppress(*FAILURES):
                close()
        self.drive.is_cut, self.is_dead = was_cut, False
        self.waiting.clear()
        self.unsaid.clear()
        self.sessions.clear()

    def backup(self) -> tuple[Disk, Lake]:
        disk = self.disk
        copy = DiskCopy(
            disk.cursor, list(disk.blocks), {}, disk.archived, disk.generation,
            self._whole(self.drive),
        )  # fmt: skip
        return copy, self.lake.copy()

    @staticmethod
    def _whole(drive: Drive) -> Files:
        left_out = ("lock", ".new", ".before", "-journal")
        return {name: data for name, data in drive.durable().items() if not name.endswith(left_out)}

    def restore(self, disk: Disk, lake: Lake, *, with_lake: bool) -> None:
        """By the product's own hand: a new generation on the copy; the lake goes back with it."""
        assert with_lake, "nothing of the product puts an old journal under a living lake"
        assert isinstance(disk, DiskCopy)
        self._end()
        self.disks.gone(self.drive)
        self.drive = self.disks.drive("journal", disk.files or {})
        self.lake = lake.copy()
        # Nobody restores in the second of a crash: each of those may have begun a generation too.
        self.now_us += 3600 * SECOND_US
        generation = begin_generation(self.drive.folder, self.lake.offset, self.now_us)
        self.lake.generation = generation
        self.disk = replace(disk, blocks=list(disk.blocks))
        self.drive.settle()
        self._start()

    def poison(self, upto: int) -> set[Unit]:
        """What is in blocks up to an offset that consolidation has set apart."""
        apart = [one for one in self.journal.quarantined() if one.cause is Cause.POISON]
        offsets = [one.offset for one in apart if one.offset <= upto]
        return {unit for offset in offsets for unit in self.disk.blocks[offset - 1].units}
