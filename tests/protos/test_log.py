"""Log lines: one shape for eyes, one for machines, chosen by where they go."""

import io
import json
import logging
import os
import sys
from pathlib import Path

import pytest

from protos.log import (
    LIKE_MAX,
    LIKE_S,
    MESSAGES_MAX,
    JournalLine,
    JsonLine,
    LogFormat,
    LogLevel,
    Sparing,
    TextLine,
    line_format,
    log_to_stderr,
)


def record(message: str = "lost %s", level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("edge.uplink", level, "f.py", 1, message, ("two",), None)


def failing_record() -> logging.LogRecord:
    try:
        raise ValueError("bad\nnews")
    except ValueError:
        made = record()
        made.exc_info = sys.exc_info()
        return made


def test_a_json_line_is_one_line_with_its_fields_even_with_a_traceback() -> None:
    made = failing_record()
    made.fields = {"gateway": "pump", "level": "forged", "path": Path("/x")}
    line = JsonLine().format(made)
    assert "\n" not in line
    read = json.loads(line)
    assert read["level"] == "warning"
    assert read["message"] == "lost two"
    assert read["gateway"] == "pump"
    assert read["path"] == "/x"
    assert "ValueError: bad" in read["error"]
    assert read["time"].endswith("+00:00")


def test_a_text_line_names_level_logger_message_and_fields() -> None:
    made = record()
    made.fields = {"gateway": "pump"}
    line = TextLine(coloured=False).format(made)
    assert line.endswith("warning edge.uplink: lost two gateway=pump")
    assert "\x1b" not in line
    assert TextLine(coloured=True).format(made).startswith("\x1b[33m")


def test_what_a_peer_said_neither_commands_the_terminal_nor_forges_a_line() -> None:
    made = record("the broker says %s")
    made.args = ("\x1b[2Jno\n12:00:00 error edge: forged",)
    line = TextLine(coloured=False).format(made)
    assert "\x1b" not in line
    assert "\n" not in line
    assert "no\\n12:00:00 error edge: forged" in line


def test_auto_is_json_only_when_stderr_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w") as stream:
        seen = os.fstat(stream.fileno())
        journal = {"JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino}"}
        chosen = line_format(LogFormat.AUTO, stream, journal)
        assert isinstance(chosen, JournalLine)
        assert isinstance(chosen.inner, JsonLine)
        elsewhere = {"JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino + 1}"}
        assert isinstance(line_format(LogFormat.AUTO, stream, elsewhere), TextLine)
        chosen = line_format(LogFormat.TEXT, stream, journal)
        assert isinstance(chosen, JournalLine)
        assert isinstance(chosen.inner, TextLine)
        assert isinstance(line_format(LogFormat.JSON, stream, {}), JsonLine)
    assert isinstance(line_format(LogFormat.AUTO, io.StringIO(), journal), TextLine)


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log_to_stderr(LogFormat.JSON, LogLevel.WARNING)
        logging.getLogger("edge.test").info("quiet")
        logging.getLogger("edge.test").warning("heard")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == [
        "heard"
    ]


def test_the_journal_is_told_the_priority_of_every_line() -> None:
    numbers = {
        logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3,
        logging.CRITICAL: 2,
    }  # fmt: skip
    for level, number in numbers.items():
        line = JournalLine(JsonLine()).format(record(level=level))
        assert line.startswith(f"<{number}>{{")
    made = failing_record()
    lines = JournalLine(TextLine(coloured=False)).format(made).split("\n")
    assert len(lines) > 3
    assert all(line.startswith("<4>") for line in lines)


def said(sparing: Sparing, at_s: float, message: str = "lost %s") -> str | None:
    """What becomes of a record that is made at a time; None when it is left out."""
    made = record(message)
    made.created = at_s
    return made.getMessage() if sparing.filter(made) else None


def test_what_is_said_again_and_again_is_left_out_and_then_counted() -> None:
    sparing = Sparing()
    heard = [said(sparing, 100.0 + n / 100) for n in range(LIKE_MAX + 30)]
    assert heard == ["lost two"] * LIKE_MAX + [None] * 30
    assert said(sparing, 101.0, "found %s") == "found two"
    assert said(sparing, 100.0 + LIKE_S) == "lost two (30 like it were left out)"
    assert said(sparing, 101.0 + LIKE_S) == "lost two"


def test_errors_that_are_logged_by_their_own_words_are_told_apart() -> None:
    sparing = Sparing()
    for n in range(3 * LIKE_MAX):
        made = record("%s")
        made.args = (f"could not do the thing {n // LIKE_MAX}",)
        assert sparing.filter(made)
    assert said(sparing, made.created, "%s") == "two"
    made = record("%s")
    made.args = ("could not do the thing 2",)
    assert not sparing.filter(made)


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    sparing = Sparing()
    for n in range(LIKE_MAX + 5):
        said(sparing, 1_000.0 + n)
    assert said(sparing, 10.0) == "lost two (5 like it were left out)"


def test_what_is_counted_of_messages_is_bounded() -> None:
    sparing = Sparing()
    for n in range(3 * MESSAGES_MAX):
        assert said(sparing, 100.0, f"{n} %s") == f"{n} two"
    assert len(sparing._said) <= MESSAGES_MAX
