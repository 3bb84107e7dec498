"""A reader's process: `python -m cloud.roles.reader FD`, started by its parent.

It answers questions about history, one at a time, from the tables' files and the rows of the tail
that come with each question, by the same code as the parent would (`cloud.query`). It holds no
reading and no answer, only what is known of files. It ends at once when its parent is gone.
"""

import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa

from cloud.errors import StorageError
from cloud.garbage import look_at_new
from cloud.lake.names import Name
from cloud.lake.table.changes import files_of
from cloud.lake.table.files import FileList
from cloud.lake.table.schema import READINGS, ROLLUPS
from cloud.live.series import Known, SeriesBook
from cloud.live.view import View
from cloud.memory import give_back, share_arenas
from cloud.query.history import Ask, History, Query
from cloud.query.one import TooManyReadings
from cloud.query.written import written
from cloud.roles import reader_wire
from cloud.roles.parent import end_with
from cloud.roles.reader_wire import (
    Answer,
    EventsQuestion,
    Failure,
    GoneError,
    Link,
    Question,
    Start,
)
from protos.log import log_to_stderr

EASE_BYTES: Final = 128 << 20
"""What is held by a reader that gives back what is free, which takes it a millisecond."""
NICENESS: Final = 2
"""Who asks may wait for what is acknowledged."""

_NO_VIEW: Final = View(0, 0, MappingProxyType({}), ())
_NOTHING_KNOWN: Final = SeriesBook().known()
"""Of events no more is asked than what stands in the tables."""
_log = logging.getLogger(__name__)


class Moment:
    """What one question is asked of: `cloud.query.history.Followed`, and its own book."""

    def __init__(self, view: View, known: Known) -> None:
        self.view = view
        self._known = known
        self._places = {name.id: at for at, name in enumerate(known.names)}

    @property
    def book(self) -> "Moment":
        """What is known of the asked series."""
        return self

    def name(self, series: int) -> Name | None:
        """As `SeriesBook.name`."""
        at = self._places.get(series)
        return None if at is None else self._known.names[at]

    def known(self, series: Sequence[int] | None = None) -> Known:
        """As `SeriesBook.known`."""
        asked = self._places if series is None else series
        at = np.array([self._places[one] for one in asked if one in self._places], np.int64)
        names = [self._known.names[place] for place in at.tolist()]
        others = [field.name for field in fields(Known) if field.name != "names"]
        return Known(names, **{name: getattr(self._known, name)[at] for name in others})


class Reader:
    """Answers questions that come in their order; what is known of files stays.

    While nobody asks it comes to know those of which it was told.
    """

    def __init__(self, start: Start) -> None:
        self._query: Query | None = None
        self._start = start
        self._tables: dict[str, FileList] = {}
        self._ahead: Iterator[str] = iter(())
        self.held = held_bytes()

    def answer(self, question: Question | EventsQuestion) -> Answer:
        """What is found, or why nothing is."""
        failure, words, readings = Failure.STORAGE, ("", "", ""), 0
        try:
            self._learn(question.changes)
            if isinstance(question, EventsQuestion):
                return self._events(question)
            found = self._asking(question.view, question.known).history(question.ask)
            return Answer(_written(found, question.ask), self.held)
        except TooManyReadings as error:
            failure, readings = Failure.READINGS, int(error.args[0])
        except StorageError as error:
            failure = Failure.MEMORY if _is_memory(error) else Failure.STORAGE
            words = (error.tried, error.cause, error.hint)
        except MemoryError:
            failure = Failure.MEMORY
        except Exception as error:  # noqa: BLE001 - a supervisor: a fault of ours costs this question
            _log.exception("a question could not be answered")
            failure, words = Failure.FAULT, ("read history", repr(error), "")
        return Answer(None, self.held, failure, words, readings)

    def rest(self) -> None:
        """Between two questions: what the last one took is given back, if it was much."""
        self.held = held_bytes()
        if self.held > EASE_BYTES:
            give_back()
            self.held = held_bytes()

    def look_ahead(self) -> bool:
        """Come to know one file more before anybody asks for it; False when it knows enough."""
        for path in self._ahead:
            try:
                return self._query is not None and self._query.look_ahead(path)
            except (OSError, pa.ArrowException):
                _log.debug("%s is gone, or told once it is asked for", path)
        return False

    def _learn(self, data: bytes) -> None:
        changes = reader_wire.changes_of(data)
        for name, change in changes.items():
            self._tables[name] = files_of(self._tables.get(name), change)
        if changes:
            self._ahead = self._told()

    def _told(self) -> Iterator[str]:
        """The files of rollups, coarse ones first, then those of readings; the latest first."""
        for spec in (*reversed(ROLLUPS), READINGS):
            if (files := self._tables.get(spec.name)) is not None:
                for file in sorted(files.files, key=lambda one: -one.ts_max):
                    yield files.path(file)

    def _events(self, question: EventsQuestion) -> Answer:
        view = self._now(_NO_VIEW)
        query = self._asking(view, _NOTHING_KNOWN)
        found = query.few_events(view, question.ask, question.limit)
        return Answer(found, self.held, Failure.ROWS if found is None else None)

    def _now(self, view: View) -> View:
        """A view with the tables as they were told."""
        return replace(view, tables=MappingProxyType(dict(self._tables)))

    def _asking(self, view: View, known: Known) -> Query:
        moment = Moment(self._now(view), known)
        if self._query is None:
            self._query = Query(moment, threads=1, index_bytes_max=self._start.index_bytes)
        return self._query.of(moment)


def _written(found: History, ask: Ask) -> History:
    """The answer as JSON where that is all that is wanted of it."""
    if ask.columns is None:
        return found
    return replace(found, series=(), json=written(found, ask, ask.columns))


def _is_memory(error: BaseException) -> bool:
    """Whether memory was lacking at the bottom of it."""
    return isinstance(error, MemoryError) or (
        error.__cause__ is not None and _is_memory(error.__cause__)
    )


def held_bytes() -> int:
    """Memory that this process has to itself, by the kernel's count; 0 off Linux."""
    try:
        pages = Path("/proc/self/statm").read_text().split()
    except OSError:
        return 0
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def bound(memory_bytes: int) -> None:
    """Have what would take more data than that fail with a MemoryError."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    least = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (least, most))


def answer_all(link: Link, reader: Reader) -> None:
    """Answer until nobody asks. GoneError at the end."""
    while True:
        answer_one(link, reader)
        reader.rest()
        while not link.is_heard() and reader.look_ahead():
            pass


def answer_one(link: Link, reader: Reader) -> None:
    """The next question, and nothing of it is held afterwards."""
    answer = reader.answer(link.receive())
    try:
        link.send(answer)
    except ValueError as error:
        words = ("read history", str(error), "")
        link.send(Answer(None, reader.held, Failure.LENGTH, words))


def main() -> None:
    """The program."""
    # The parent says when to end; a terminal's Ctrl-C and a service's SIGTERM come to both.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    share_arenas()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    end = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=end_with, args=(end,), name="parent", daemon=True).start()
    link = Link(end)
    try:
        start = link.receive()
        log_to_stderr(start.log_format, start.log_level)
        bound(start.memory_bytes)
        look_at_new()
        answer_all(link, Reader(start))
    except GoneError:
        return


if __name__ == "__main__":
    main()
