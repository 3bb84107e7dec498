"""How both halves speak to the operator's log: text on a terminal, JSON lines under systemd.

The shape of a line is a contract with whoever reads it, so there is one for both halves: text is
`12:03:44 warning edge.uplink: message`, coloured only on a terminal; JSON carries `time` (ISO 8601
UTC), `level`, `logger`, `message`, `extra` fields given by `extra={"fields": {...}}`, and `error`
(the traceback) when there is one. Everything goes to stderr; stdout belongs to the commands.

In systemd's journal each line begins with its priority (sd-daemon(3)), which the journal takes off
again: `journalctl -p warning` finds it. And a message that comes again and again is left out for
the rest of its minute, by what it says and not by what it says it of: a log is written to a card.
"""

import logging
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TextIO

import msgspec

from protos.shown import printable

COLOURS = {
    logging.DEBUG: "\x1b[2m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[1;31m",
}
PLAIN = "\x1b[0m"
PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
"""syslog's numbers; a critical line is 2."""
LIKE_MAX: Final = 20
"""Lines of one message that are written in a minute; of the others the next one tells how many."""
LIKE_S: Final = 60.0
WORDS_MIN: Final = 8
WORDS_KEPT: Final = 200
MESSAGES_MAX: Final = 512
"""Messages that are counted; beyond them all are forgotten, and written again."""


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


class JournalLine(logging.Formatter):
    """A line for the journal: any other's, each of its lines with the priority before it."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        number = 2 if record.levelno >= logging.CRITICAL else priority(record.levelno)
        return "\n".join(f"<{number}>{line}" for line in self.inner.format(record).split("\n"))


def priority(level: int) -> int:
    """The syslog number of a level up to error."""
    return next(number for least, number in PRIORITIES if level >= least)


class Sparing(logging.Filter):
    """Leaves out what is said too often: `LIKE_MAX` lines of one message in `LIKE_S`; not debug."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it; the first after some that were left out tells how many."""
        if record.levelno <= logging.DEBUG:
            return True
        words = str(record.msg)
        if words.count("%") and len(words) < WORDS_MIN:  # "%s" alone is no message of its own
            words = record.getMessage()[:WORDS_KEPT]
        key = (record.name, record.levelno, words)
        with self._lock:
            if len(self._said) >= MESSAGES_MAX and key not in self._said:
                self._said.clear()
            since, count = self._said.get(key, (record.created, 0))
            if not 0 <= record.created - since < LIKE_S:
                left_out = max(0, count - LIKE_MAX)
                since, count = record.created, 0
                if left_out:
                    record.msg = f"{record.getMessage()} ({left_out:,} like it were left out)"
                    record.args = None
            self._said[key] = (since, count + 1)
            return count < LIKE_MAX


def line_format(
    wanted: LogFormat, stream: TextIO, environment: Mapping[str, str]
) -> logging.Formatter:
    """Choose how lines look.

    systemd names the journal's device and inode in JOURNAL_STREAM; a stderr that was redirected
    elsewhere by hand is not the journal, so the numbers are compared (systemd.exec(5)).
    """
    is_journal = _is_journal(stream, environment)
    if wanted is LogFormat.AUTO:
        wanted = LogFormat.JSON if is_journal else LogFormat.TEXT
    made: logging.Formatter = JsonLine()
    if wanted is not LogFormat.JSON:
        made = TextLine(coloured=stream.isatty() and "NO_COLOR" not in environment)
    return JournalLine(made) if is_journal else made


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
    handler.addFilter(Sparing())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
