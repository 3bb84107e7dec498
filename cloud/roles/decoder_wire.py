"""What the decoder and its parent say to each other; the socket is that of the readers.

The parent asks for one step at a time, and may ask for the next before it has shown the last. A
step comes as its columns lie in memory (`reader_wire.Link`).
"""

from dataclasses import dataclass
from enum import Enum

from cloud.errors import StorageError
from cloud.journal.contract import TrimmedError
from cloud.lake.correction import Correction
from cloud.live.step import Step
from protos.log import LogFormat, LogLevel


@dataclass(frozen=True, slots=True)
class Start:
    """The first word: whose blocks, where the marker of one that kills is, and how to tell."""

    journal_folder: str
    attempts_path: str
    log_format: LogFormat
    log_level: LogLevel


@dataclass(frozen=True, slots=True)
class Ready:
    """The decoder's first word: it has loaded what it needs."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The step after offset ``start``; ``more`` are corrections known since the last question."""

    start: int
    more: tuple[Correction, ...]


class Failure(Enum):
    """Why there is no step."""

    TRIMMED = 0
    STORAGE = 1
    LENGTH = 2


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The step, None where there is nothing to take; or what failed, and its ``words``."""

    step: Step | None
    failure: Failure | None = None
    words: tuple[str, str, str] = ("", "", "")

    def error(self) -> StorageError:
        """What failed."""
        return (TrimmedError if self.failure is Failure.TRIMMED else StorageError)(*self.words)
