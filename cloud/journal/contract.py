"""The journal's contract: the cloud's append-only log of blocks, the single source of truth.

Order is by `offset`: 1, 2, 3 …, one per stored block, over all gateways, never used twice within a
`generation`. Every future resolves only after the fsync of the transaction that it speaks of; the
rules of what is stored are `cloud.journal.cursor`'s, an implementation adds durability alone.
An implementation may hold calls back (the future resolves later) and refuses with
`JournalOverloadedError` when its bounded queue is full. Every method may be called from any thread.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from cloud.errors import StorageError
from cloud.journal.counts import Tally
from cloud.journal.cursor import Cursor, Decision
from protos import sync_pb2 as pb
from protos.series import SeriesEntry


class JournalOverloadedError(StorageError):
    """The queue to the disk is full: nothing was taken, try again later."""


class TrimmedError(StorageError):
    """What was asked for lies before the oldest block kept: the lake has it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored block. ``data`` is the block as it came (protos.block), ``stored_us`` when."""

    offset: int
    gateway: str
    epoch: int
    seq: int
    hash: bytes
    data: bytes
    stored_us: int


class Journal(Protocol):
    """A log of blocks with a cursor per gateway, both moved in one transaction.

    `append` and `declare` apply `decide_block` and `decide_declare` of `cloud.journal.cursor`,
    `hello` and `request_epoch` those of `cloud.journal.hello`, and resolve to the decision after
    the fsync; calls of one gateway are decided in the order of the calls. They fail with
    StorageError, and then nothing was stored.
    """

    @property
    def generation(self) -> int:
        """Rises by one whenever a journal was lost or restored from an older copy."""

    def hello(self, gateway: str, hello: pb.Hello, window_bytes: int) -> Future[Decision]:
        """Open a session: older ones are fenced from the moment the future resolves."""

    def append(
        self, gateway: str, session: int, epoch: int, seq: int, data: bytes
    ) -> Future[Decision]:
        """Judge a block and store it if it is next. MalformedBlock comes as a decision, a Fault."""

    def declare(
        self,
        gateway: str,
        session: int,
        epoch: int,
        first: int,
        entries: Sequence[SeriesEntry],
    ) -> Future[Decision]:
        """Judge declared series and add the new ones to the epoch's table."""

    def request_epoch(self, gateway: str, request: pb.EpochRequest) -> Future[Decision]:
        """Close the gateway's epoch and grant the next."""

    def forgive(self, gateway: str) -> Future[Cursor]:
        """An operator's word that ends a fork or a clone: `journal_cursor.forgive`, made durable.

        Resolves to the cursor as it is then; KeyError through the future for an unknown gateway.
        """

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Entries with a higher offset, in order, at least one if there is any.

        Raises:
            TrimmedError: the next one is no longer kept.
        """

    def series(self, gateway: str, epoch: int, after: int = 0) -> list[SeriesEntry]:
        """The declared table of an epoch, entries after + 1, after + 2 …; empty when unknown.

        Costs no more than what it gives, however many entries come before.
        """

    def head(self) -> int:
        """The highest durable offset, 0 when empty."""

    def archived(self) -> int:
        """The highest offset whose rows the lake holds durably."""

    def mark_archived(self, offset: int) -> Future[None]:
        """Move `archived` up: the lake's tables are committed and fsynced up to ``offset``."""

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor as of the last durable transaction."""

    def counts(self) -> Mapping[str, Tally]:
        """How much was ever stored and archived of each gateway, trimmed blocks included.

        As of the last durable transaction and of this generation; it reads no disk. Over all
        gateways (`cloud.journal.counts.total`) as many blocks are stored as `head` says, and as
        many archived as `archived` says.
        """

    def subscribe(self, callback: Callable[[Sequence[Entry]], None]) -> Callable[[], None]:
        """Call back with the new entries after each durable commit; returns how to stop.

        ``callback`` runs on the journal's thread, in offset order, and must not block.
        """

    def subscribe_archived(
        self, callback: Callable[[Sequence[Cursor]], None]
    ) -> Callable[[], None]:
        """Call back with the cursors whose `archived` rose, after it is durable; likewise."""

    def trim(self) -> int:
        """Give back the space of what is archived; returns the offset up to which it is gone."""

    def close(self) -> None:
        """Finish what is queued, then close the files."""
