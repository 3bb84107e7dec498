"""The journal on SQLite: opening and recovery, and the calls of `cloud.journal.contract.Journal`.

Constraints: one process writes (a lock file says which), any number read. An answer is given after
COMMIT with `synchronous=FULL`; a segment takes its first block after its opening state and its
folder are fsynced. Offsets run without a hole over all segments: a hole found at opening is an
error, never skipped. Layout: `docs/format/journal.md`; why: `docs/decisions/0030`.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from cloud.errors import StorageError
from cloud.journal.contract import Entry
from cloud.journal.counts import Tally, readings_of
from cloud.journal.cursor import (
    Alarm,
    Cursor,
    Decision,
    decide_block,
    decide_declare,
    fault,
    forgive,
)
from cloud.journal.hello import decide_epoch_request, decide_hello
from cloud.journal.restore import Ground
from cloud.journal.sqlite.held import Arrived, Transaction
from cloud.journal.sqlite.quarantine import Cause, Quarantine, Quarantined
from cloud.journal.sqlite.reader import ReaderPool
from cloud.journal.sqlite.recovery import Recovered, recover
from cloud.journal.sqlite.sealed import Sealed
from cloud.journal.sqlite.tail import Tail
from cloud.journal.sqlite.writer import JournalLimits, Writer
from protos import sync_pb2 as pb
from protos.block import MalformedBlock, read_header
from protos.series import SeriesEntry, encode_entry


@dataclass(frozen=True, slots=True)
class JournalStats:
    """Figures for whoever asks; ``ignored``: why segments were set aside, ``begun``: `Opening`."""

    head: int
    archived: int
    oldest: int
    segments: int
    bytes: int
    bytes_max: int
    quarantined: int
    ignored: tuple[str, ...]
    begun: int


class SqliteJournal:
    """The journal in a folder of rotated SQLite files; made by `SqliteJournal.open`."""

    def __init__(
        self, folder: Path, found: Recovered, limits: JournalLimits, now_us: Callable[[], int]
    ) -> None:
        self._limits, self._now_us, self._found = limits, now_us, found
        self._readers = ReaderPool(folder)
        self._tail = Tail(self._readers.read)
        self._archived_callbacks: tuple[Callable[[Sequence[Cursor]], None], ...] = ()
        self.quarantined_blocks = Quarantine(folder / "quarantine.db")
        self._sealed = Sealed(limits.replay_bytes_min)
        self._writer = Writer(
            folder, found.opening, found.segments, limits, now_us, self._committed,
            lambda: self._sealed.settle_soon(self._writer),
        )  # fmt: skip
        self._sealed.settle_soon(self._writer)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        now_us: Callable[[], int],
        limits: JournalLimits | None = None,
        ground: Callable[[], Ground] | None = None,
    ) -> "SqliteJournal":
        """Open the journal in `folder`, made and given a generation if there is none yet.

        `now_us` is the clock, µs UTC. The first generation is the second of its making, so that a
        journal made after one was lost is told from it. `ground`: see `recovery.recover`.

        Raises:
            OperatorError: another process writes to it.
            StorageError: the disk fails, or what it holds is damaged or of a newer version.
        """
        found = recover(folder, now_us, ground)
        try:
            return cls(folder, found, limits or JournalLimits(), now_us)
        except BaseException:
            found.lock.close()
            raise

    @property
    def generation(self) -> int:
        """Of this journal, for as long as it lives."""
        return self._found.opening.generation

    @property
    def failure(self) -> StorageError | None:
        """Why the journal stopped writing for good: the process must end and open it anew."""
        return self._writer.failure

    def hello(self, gateway: str, hello: pb.Hello, window_bytes: int) -> Future[Decision]:
        """Open a session; see the contract."""

        def run(transaction: Transaction) -> Decision:
            before, held = transaction.cursor(gateway), transaction.held(gateway)
            decision = decide_hello(
                before, held, hello, generation=self.generation, window_bytes=window_bytes
            )
            transaction.write(decision)
            if decision.cursor.session > before.session:
                transaction.told(gateway, hello.epoch, hello.head)
            return decision

        return self._writer.call(run)

    def append(
        self, gateway: str, session: int, epoch: int, seq: int, data: bytes
    ) -> Future[Decision]:
        """Judge a block and store it if it is next; its bytes are checked in the caller's thread.

        Fails with JournalFullError when the journal has no room and with JournalOverloadedError
        when its queue has none.
        """
        try:
            header, found = read_header(data)
        except MalformedBlock as error:
            why = str(error)
            return self._writer.call(lambda held: _malformed(held.cursor(gateway), why))
        block = Arrived(epoch, seq, found, header.chunks, readings_of(header), data)

        def run(transaction: Transaction) -> Decision:
            before, held = transaction.cursor(gateway), transaction.held(gateway)
            decision = decide_block(
                before, held, session=session, epoch=epoch, seq=seq, header=header, hash=found
            )
            if decision.alarm is Alarm.FORK:
                self._put_aside(gateway, block, Cause.FORK, 0, "another block holds its place")
            transaction.write(decision, block)
            return decision

        return self._writer.call(run, size=len(data), grows=True)

    def declare(
        self, gateway: str, session: int, epoch: int, first: int, entries: Sequence[SeriesEntry]
    ) -> Future[Decision]:
        """Judge declared series and add the new ones; refused like blocks when there is no room."""

        def run(transaction: Transaction) -> Decision:
            before = transaction.cursor(gateway)
            decision = decide_declare(
                before, session=session, epoch=epoch, first=first, entries=entries
            )
            transaction.write(decision)
            return decision

        size = sum(len(encode_entry(entry)) for entry in entries)
        return self._writer.call(run, size=size, grows=True)

    def request_epoch(self, gateway: str, request: pb.EpochRequest) -> Future[Decision]:
        """Close the gateway's epoch and grant the next."""

        def run(transaction: Transaction) -> Decision:
            before, held = transaction.cursor(gateway), transaction.held(gateway)
            decision = decide_epoch_request(before, held, request)
            transaction.write(decision)
            return decision

        return self._writer.call(run)

    def forgive(self, gateway: str) -> Future[Cursor]:
        """An operator's word that ends a fork or a clone; see the contract."""

        def run(transaction: Transaction) -> Cursor:
            before = transaction.cursor(gateway)
            if not before.session:
                raise KeyError(gateway)
            transaction.write(Decision(forgive(before)))
            return transaction.cursor(gateway)

        return self._writer.call(run)

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Entries above an offset; TrimmedError when the next one is gone (see `JournalReader`)."""
        return self._readers.read(after_offset, bytes_max)

    def series(self, gateway: str, epoch: int, after: int = 0) -> list[SeriesEntry]:
        """The declared table of an epoch, entries after + 1, after + 2 …; empty when unknown."""
        with self._readers.reader() as reader:
            return reader.series(gateway, epoch, after)

    def head(self) -> int:
        """The highest durable offset, 0 when empty."""
        return self._writer.head

    def archived(self) -> int:
        """The highest offset whose rows the lake holds durably."""
        return self._writer.archived

    def mark_archived(self, offset: int) -> Future[None]:
        """Move `archived` up; ValueError through the future when there is no such offset yet."""
        return self._writer.call(lambda transaction: transaction.mark_archived(offset))

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor as of the last durable transaction."""
        return [standing.cursor for standing in list(self._writer.standing.values())]

    def counts(self) -> Mapping[str, Tally]:
        """How much was ever stored of each gateway, by epoch; reads no disk."""
        return {one.cursor.gateway: one.tally for one in list(self._writer.standing.values())}

    def subscribe(self, callback: Callable[[Sequence[Entry]], None]) -> Callable[[], None]:
        """Call back with what is committed from now on, in a thread of the subscription's own.

        A slow subscriber holds up neither the writer nor another one. Returns how to stop.
        """
        return self._tail.subscribe(callback, self.head)

    def subscribe_archived(
        self, callback: Callable[[Sequence[Cursor]], None]
    ) -> Callable[[], None]:
        """Call back, in the writer's thread, with cursors whose `archived` rose; returns a stop."""
        self._archived_callbacks = (*self._archived_callbacks, callback)

        def stop() -> None:
            others = (one for one in self._archived_callbacks if one is not callback)
            self._archived_callbacks = tuple(others)

        return stop

    def quarantine(self, offset: int, reason: str) -> None:
        """Set a block apart that consolidation cannot take; a copy outlives its segment.

        Asked again it counts the attempt. ValueError when the journal holds no such offset.
        """
        with self._readers.reader() as reader:
            entry = next(iter(reader.read(offset - 1, 1)), None)
            if entry is None:
                raise ValueError(f"the journal holds no offset {offset}")
            readings = reader.readings(offset)
        block = Arrived(entry.epoch, entry.seq, entry.hash, (), readings, entry.data)
        self._put_aside(entry.gateway, block, Cause.POISON, offset, reason)

    def quarantined(self) -> list[Quarantined]:
        """All blocks set apart, with reasons and attempts."""
        return self.quarantined_blocks.list()

    def trim(self) -> int:
        """Unlink what is wholly behind `archived` (`Sealed.trim`); the offset it is gone up to."""
        try:
            return self._sealed.trim(self._writer)
        finally:
            self._readers.close()  # an idle reader would hold on to the space

    def seal(self) -> "Future[None]":
        """Go on in a new segment, so that `trim` can unlink all that is archived."""
        return self._writer.seal()

    def stats(self) -> JournalStats:
        """Figures as of now."""
        segments, limits, found = self._writer.segments, self._limits, self._found
        return JournalStats(
            self.head(), self.archived(), segments[0].first, len(segments), self._writer.bytes(),
            limits.bytes_max, len(self.quarantined()), found.ignored, found.opening.begun,
        )  # fmt: skip

    def close(self) -> None:
        """Finish what is queued, then close the files; again is harmless."""
        self._writer.close()
        self._sealed.close()
        self._tail.close()
        self._readers.close()
        self.quarantined_blocks.close()
        self._found.lock.close()

    def _committed(self, entries: Sequence[Entry], risen: Sequence[Cursor]) -> None:
        self._tail.announce(entries)
        if risen:
            for callback in self._archived_callbacks:
                callback(risen)

    def _put_aside(
        self, gateway: str, block: Arrived, cause: Cause, offset: int, reason: str
    ) -> None:
        name = (gateway, block.epoch, block.seq, block.hash)
        now, size = self._now_us(), len(block.data)
        record = Quarantined(*name, cause, offset, reason, 1, now, size, block.readings)
        self.quarantined_blocks.put(record, block.data)


def _malformed(cursor: Cursor, why: str) -> Decision:
    hint = "this is a fault of the gateway's software or its memory, please report it"
    return Decision(cursor, (fault(pb.MALFORMED, why, hint),), ends=True)
