"""What a child asks of its parent, done and answered: the journal's word, and the readers' view."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Protocol

import msgspec

from cloud.errors import TidegateError
from cloud.journal.counts import Tally
from cloud.journal.cursor import Cursor
from cloud.lake.consolidator import JOURNAL_WAIT_S, Batch
from cloud.lake.table.changes import files_of
from cloud.lake.table.files import FileList
from cloud.retention.rules import NOTHING
from cloud.roles import wire
from cloud.roles.child import Child
from cloud.roles.wire import Told


class Journal(Protocol):
    """What the child asks of the journal (`cloud.journal.contract.Journal` and its quarantine)."""

    def head(self) -> int:
        """The highest durable offset."""

    def archived(self) -> int:
        """The highest offset that was marked archived."""

    def mark_archived(self, offset: int) -> Future[None]:
        """The tables hold everything up to ``offset`` durably."""

    def quarantine(self, offset: int, reason: str) -> None:
        """Set a block apart, durably, that can never be decoded."""

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor."""

    def counts(self) -> Mapping[str, Tally]:
        """How much was ever stored and archived of each gateway."""


class Viewers(Protocol):
    """Who is shown the batch view, and which files readers still hold: `cloud.live.live.Live`."""

    def publish(self, batch: Batch) -> None:
        """From now on this is the batch view."""

    def in_use(self) -> frozenset[str]:
        """Absolute paths of files in any view that someone still holds."""


class Desk:
    """Answers one child at a time, from one thread.

    ``passed`` is told of each pass.
    """

    def __init__(
        self, journal: Journal, viewers: Viewers, passed: Callable[[wire.Passed], None]
    ) -> None:
        self._journal, self._viewers, self._passed = journal, viewers, passed
        self._tables: dict[str, FileList] = {}
        self._retired = NOTHING

    def forget(self) -> None:
        """Another child comes, which tells the whole lists of files first, and all retired."""
        self._tables = {}
        self._retired = NOTHING

    def answer(self, child: Child, call: wire.Call) -> None:
        """Do what a child asks, and tell it; EndedError when it is gone."""
        answer: wire.Order
        try:
            answer = wire.Done(msgspec.Raw(msgspec.msgpack.encode(self._done(call))))
        except (TidegateError, OSError, TimeoutError, ValueError) as error:
            answer = Told.of(error)
        child.channel.send(answer)

    def _done(self, call: wire.Call) -> object:
        match call:
            case wire.MarkArchived(offset):
                self._journal.mark_archived(offset).result(JOURNAL_WAIT_S)
            case wire.SetApart(offset, reason):
                self._journal.quarantine(offset, reason)
            case wire.Show():
                self._show(call)
            case wire.Passed():
                self._passed(call)
            case wire.Ready() | wire.Refused():
                pass
            case _:
                return self._asked(call)
        return None

    def _asked(self, question: wire.Question) -> object:
        match question:
            case wire.AskHead():
                return self._journal.head()
            case wire.AskArchived():
                return self._journal.archived()
            case wire.AskCursors():
                return self._journal.cursors()
            case wire.AskCounts():
                return dict(self._journal.counts())
            case wire.AskInUse():
                return sorted(self._viewers.in_use())

    def _show(self, show: wire.Show) -> None:
        changed = {name: files_of(self._tables.get(name), c) for name, c in show.changes.items()}
        self._tables |= changed
        self._retired = show.retired or self._retired
        tables = MappingProxyType(dict(self._tables))
        self._viewers.publish(
            Batch(show.offset, tables, show.corrected, show.is_anew, self._retired)
        )
