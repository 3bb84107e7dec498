"""The decoder's process: `python -m cloud.roles.decoder FD`, started by its parent.

It makes the steps of the live view (`cloud.live.step`): it reads the journal's files, and tells
what the blocks hold, encoded as the tail holds it. It keeps nothing between two questions but the
names of series and the corrections that it was told. It ends at once when its parent is gone.
"""

import logging
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Final

from cloud.errors import TidegateError
from cloud.garbage import look_at_new
from cloud.journal.contract import Entry, TrimmedError
from cloud.journal.sqlite.reader import ReaderPool
from cloud.lake.attempts import Attempts
from cloud.lake.correction import Known
from cloud.lake.names import Names
from cloud.live.step import Steps
from cloud.memory import give_back, reuse_pages
from cloud.roles.decoder_wire import Answer, Ask, Failure, Ready, Start
from cloud.roles.parent import end_with
from cloud.roles.reader_wire import GoneError, Link
from protos.log import log_to_stderr
from protos.series import SeriesEntry

ROWS_PER_STEP: Final = 250_000
BYTES_PER_STEP: Final = 2 << 20
"""More would take more memory here and make a reading cost no less: a step takes some 220 bytes a
row while it is made."""
REST_S: Final = 5.0
"""How long a segment of the journal may stay open: one that is trimmed keeps its space so long."""
_log = logging.getLogger(__name__)


class Decoder:
    """Answers questions in their order."""

    def __init__(self, start: Start) -> None:
        self._readers = ReaderPool(Path(start.journal_folder))
        attempts = Attempts(Path(start.attempts_path))
        names = Names(self.series)
        self._steps = Steps(self, names, attempts, rows_max=ROWS_PER_STEP, bytes_max=BYTES_PER_STEP)
        self._known = Known()
        self._rested = time.monotonic()

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Entries with a higher offset, in order, at least one if there is any."""
        return self._readers.read(after_offset, bytes_max)

    def series(self, gateway: str, epoch: int, after: int = 0) -> list[SeriesEntry]:
        """The declared table of an epoch, entries after + 1 and on."""
        with self._readers.reader() as reader:
            return reader.series(gateway, epoch, after)

    def answer(self, ask: Ask) -> Answer:
        """The step that is asked for, or why there is none."""
        self._known = self._known.plus(ask.more)
        try:
            return Answer(self._steps.take(ask.start, self._known))
        except TrimmedError as error:
            return Answer(None, Failure.TRIMMED, (error.tried, error.cause, error.hint))
        except TidegateError as error:
            return Answer(None, Failure.STORAGE, (error.tried, error.cause, error.hint))
        except Exception as error:  # noqa: BLE001 - a supervisor: a fault of ours ends no view
            _log.exception("blocks could not be decoded")
            return Answer(None, Failure.STORAGE, ("decode blocks", repr(error), ""))

    def close(self) -> None:
        """Let go of open segments."""
        self._readers.close()

    def rest(self) -> None:
        """Let go of them now and then, and of memory."""
        if time.monotonic() - self._rested >= REST_S:
            self.close()
            give_back()
            self._rested = time.monotonic()


def answer_all(link: Link, end: socket.socket, decoder: Decoder) -> None:
    """Answer until nobody asks. GoneError at the end."""
    asked = select.poll()
    asked.register(end.fileno(), select.POLLIN)
    while True:
        if asked.poll(REST_S * 1000):
            answer_one(link, decoder)
        decoder.rest()


def answer_one(link: Link, decoder: Decoder) -> None:
    """The next question, and nothing of it is held afterwards."""
    answer = decoder.answer(link.receive())
    try:
        link.send(answer)
    except ValueError as error:
        link.send(Answer(None, Failure.LENGTH, ("tell a step", str(error), "")))


def main() -> None:
    """The program."""
    # The parent says when to end; a terminal's Ctrl-C and a service's SIGTERM come to both.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    reuse_pages()
    end = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=end_with, args=(end,), name="parent", daemon=True).start()
    link = Link(end)
    try:
        start = link.receive()
        log_to_stderr(start.log_format, start.log_level)
        decoder = Decoder(start)
        look_at_new()
        link.send(Ready())
        answer_all(link, end, decoder)
    except GoneError:
        return


if __name__ == "__main__":
    main()
