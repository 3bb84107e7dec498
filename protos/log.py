"""How both halves speak to the operator's log: text on a terminal, JSON lines under systemd.

The shape of a line is a contract with whoever reads it, so there is one for both halves: text is
`12:03:44 warning edge.uplink: message`, coloured only on a terminal; JSON carries `time` (ISO 8601
UTC), `level`, `logger`, `message`, `extra` fields given by `extra={"fields": {...}}`, and `error`
(the traceback) when there is one. Everything goes to stderr; stdout belongs to the commands.
"""

import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

import msgspec

from protos.shown import printable

COLOURS = {
    logging.DEBUG: "\x1b[2m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[1;31m",
}
PLAIN = "\x1b[0m"


class LogFormat(StrEnum):
    """What a log line looks like; `auto` decides by where stderr goes."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    given = getattr(record, "fields", None)
    return given if isinstance(given, Mapping) else {}


class TextLine(logging.Formatter):
    """A line for eyes: local time of day, level, logger, message, fields."""

    def __init__(self, *, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        """Write one record; a traceback follows on lines of its own."""
        at = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        told = record.getMessage()
        told += "".join(f" {key}={value}" for key, value in _fields(record).items())
        # What peers said is in many messages: it must not command a terminal or forge a line.
        line = f"{at} {record.levelname.lower():7} {record.name}: {printable(told)}"
        if self._coloured and record.levelno in COLOURS:
            line = f"{COLOURS[record.levelno]}{line}{PLAIN}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLine(logging.Formatter):
    """A line for machines: one JSON object, never more than one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record; fields of our own stand beside, and never replace, the fixed ones."""
        line: dict[str, object] = dict(_fields(record))
        line |= {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def line_format(
    wanted: LogFormat, stream: TextIO, environment: Mapping[str, str]
) -> logging.Formatter:
    """Choose how lines look.

    systemd names the journal's device and inode in JOURNAL_STREAM; a stderr that was redirected
    elsewhere by hand is not the journal, so the numbers are compared (systemd.exec(5)).
    """
    if wanted is LogFormat.AUTO:
        wanted = LogFormat.JSON if _is_journal(stream, environment) else LogFormat.TEXT
    if wanted is LogFormat.JSON:
        return JsonLine()
    return TextLine(coloured=stream.isatty() and "NO_COLOR" not in environment)


def _is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    try:
        seen = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{seen.st_dev}:{seen.st_ino}"


def log_to_stderr(wanted: LogFormat, level: LogLevel) -> None:
    """Send the process's log to stderr; called once, by the command that stays running."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(line_format(wanted, sys.stderr, os.environ))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
