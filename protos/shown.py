"""Pure: what strangers said, and when, for the eyes of an operator.

Names, texts and reasons come from sensors and peers: each goes through here before a terminal, a
spreadsheet or a JSON line shows it.
"""

import json
from datetime import UTC, datetime
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@")


def printable(text: str) -> str:
    """The text with its control characters escaped, so that it cannot command a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def json_line(value: object) -> str:
    """One line of JSON as people read it; what would command a terminal is escaped, not lost."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def csv_cell(text: str) -> str:
    """The text as a cell that no spreadsheet runs: what begins like a formula gets a `'` before."""
    safe = printable(text)
    return f"'{safe}" if safe.startswith(_FORMULA) else safe


def shown_time(at_us: int) -> str:
    """ISO 8601 in UTC, to the millisecond; an instant that no calendar has as its number."""
    try:
        return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return f"{at_us} µs"
