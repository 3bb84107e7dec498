"""One reader as its parent sees it: how it is started, asked, told of the tables, and ended."""

import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from cloud.lake.table.changes import change_of
from cloud.lake.table.files import FileList
from cloud.lake.table.schema import ANOMALIES, EPISODES, GAPS, READINGS, ROLLUPS
from cloud.roles.child import launch
from cloud.roles.reader_wire import Answer, EventsQuestion, Link, Question, change_bytes

PROGRAM: Final = "cloud.roles.reader"
_HISTORY: Final = tuple(spec.name for spec in (READINGS, *ROLLUPS))
_EVENTS: Final = tuple(spec.name for spec in (ANOMALIES, EPISODES, GAPS))
"""What each kind of question is about."""


@dataclass(slots=True, eq=False)
class Reader:
    """One process, and what it was told of the tables."""

    number: int
    process: "subprocess.Popen[bytes]"
    link: Link
    is_busy: bool = False
    tables: dict[str, FileList] = field(default_factory=dict)

    def ask(
        self, question: Question | EventsQuestion, tables: Mapping[str, FileList], until: float
    ) -> Answer:
        """The answer. GoneError, TimeoutError; ValueError for a question that is too long."""
        names = _EVENTS if isinstance(question, EventsQuestion) else _HISTORY
        told = {name: tables[name] for name in names}
        changes = {
            name: change_of(self.tables.get(name), files)
            for name, files in told.items()
            if files is not self.tables.get(name)
        }
        self.link.send(replace(question, changes=change_bytes(changes)), until)
        self.tables |= told
        answer: Answer = self.link.receive(until)
        return answer

    def end(self) -> str:
        """See it end; how it did."""
        self.link.close()
        self.process.kill()
        code = self.process.wait()
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


Spawn = Callable[[], tuple["subprocess.Popen[bytes]", socket.socket]]


def spawn(
    program: str = PROGRAM, environment: Mapping[str, str] | None = None
) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    """Start a reader: one thread of each library, and memory that goes back when it is free."""
    of = os.environ if environment is None else environment
    plain = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return launch(program, {**of, **plain, "ARROW_DEFAULT_MEMORY_POOL": "system"})
