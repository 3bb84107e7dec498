"""A reader's program with a fault in it; TIDEGATE_TEST_FAULT says which.

`die-at:SERIES` dies by SIGKILL of questions about a series. `hang` never answers. `slow:FOLDER`
says `asked` in a folder and waits, before it reads, until a file `go` stands there. `memory` fails
for want of memory, `fault` of something else. `long` may say nothing longer than a failure. `rows`
takes every event for one too many.
"""

import os
import signal
import time
from pathlib import Path

from cloud.query import event_rows
from cloud.roles import reader
from cloud.roles.reader_wire import Answer, Link, Question

kind, _, value = os.environ["TIDEGATE_TEST_FAULT"].partition(":")
answer = reader.Reader.answer


def faulty(self: reader.Reader, question: Question) -> Answer:
    match kind:
        case "die-at" if int(value) in question.ask.series:
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            signal.pause()
        case "slow":
            Path(value, "asked").touch()
            while not Path(value, "go").exists():
                time.sleep(0.005)
        case "memory" | "fault":
            self._asking = failing  # type: ignore[method-assign]
    return answer(self, question)


def failing(*_: object) -> object:
    raise MemoryError if kind == "memory" else RuntimeError("a fault of ours")


send = Link.send


def brief(self: Link, message: object, until: float | None = None) -> None:
    if isinstance(message, Answer) and message.found is not None:
        raise ValueError("too long")
    send(self, message, until)


reader.Reader.answer = faulty  # type: ignore[method-assign]
if kind == "long":
    Link.send = brief  # type: ignore[method-assign]
if kind == "rows":
    event_rows.ROWS_MAX = 0  # type: ignore[misc]
reader.main()
