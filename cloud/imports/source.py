"""What can be brought in: the kinds of files, how one is told from the other, what all give."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

from cloud.errors import OperatorError
from cloud.imports.clock_times import TimeRule
from cloud.imports.columns import Mapping
from cloud.imports.influx_line import COMMENTS, read_line
from cloud.imports.piece import Keys, Piece

HEAD_BYTES: Final = 64 * 1024
"""What is looked at to tell what a file is."""


class Form(Enum):
    """Kinds of files."""

    CSV = "csv"
    PARQUET = "parquet"
    INFLUX = "influx"
    RECORDER = "recorder"


class Statistics(Enum):
    """Which hourly statistics of a Home Assistant recorder come in, beside its states."""

    PURGED = "purged"
    """Those of hours before the first state of the entity that is still there."""
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator said of how to read files."""

    mapping: Mapping = field(default_factory=Mapping)
    rule: TimeRule = field(default_factory=TimeRule)
    delimiter: str = ""
    decimal: str = ""
    encoding: str = ""
    has_header: bool = True
    device_tag: str = ""
    statistics: Statistics = Statistics.PURGED


class Source(Protocol):
    """A file that is being read; ``size`` is of what `Piece.done` counts."""

    keys: Keys
    size: int

    @property
    def told(self) -> str:
        """How the file is understood, in one line."""

    def pieces(self) -> Iterator[Piece]:
        """Its readings, in the same order whenever the same file is read.

        Raises:
            OperatorError: it cannot be read on.
        """


def form_of(path: Path, head: bytes) -> Form:
    """What a file is, by its first bytes.

    Raises:
        OperatorError: it is empty, compressed, or nothing that can be brought in.
    """
    tried = f"read {path}"
    if head.startswith(b"SQLite format 3\0"):
        return Form.RECORDER
    if head.startswith(b"PAR1"):
        return Form.PARQUET
    if not head.strip():
        raise OperatorError(tried, "it is empty", "name another file")
    if head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"BZh", b"\xfd7zXZ")):
        raise OperatorError(tried, "it is compressed", "unpack it first")
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint = "CSV, Parquet, Influx line protocol and Home Assistant databases can be brought in"
        raise OperatorError(tried, "it is neither text nor a known kind of file", hint)
    lines = (line.strip() for line in head.decode("utf-8", "replace").split("\n"))
    first = next((line for line in lines if line and not line.startswith(COMMENTS)), "")
    return Form.INFLUX if read_line(first) is not None else Form.CSV


def open_source(path: Path, form: Form | None, wish: Wish) -> Source:
    """Open a file for reading; ``form`` None: by its first bytes.

    Raises:
        OperatorError: it cannot be read, or not as what it is said to be.
    """
    if path.exists() and not path.is_file():
        raise OperatorError(f"read {path}", "it is no file", "files are read twice: name one")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        cause = error.strerror or str(error)
        raise OperatorError(f"read {path}", cause, "name a file that you may read") from error
    match form or form_of(path, head):
        case Form.CSV:
            from cloud.imports.csv_file import CsvFile

            return CsvFile.open(path, head, wish)
        case Form.PARQUET:
            from cloud.imports.parquet_file import ParquetFile

            return ParquetFile.open(path, wish)
        case Form.INFLUX:
            from cloud.imports.influx_file import InfluxFile

            return InfluxFile.open(path, wish)
        case Form.RECORDER:
            from cloud.imports.recorder_file import RecorderFile

            return RecorderFile.open(path, wish)
