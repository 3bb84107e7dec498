"""Pure: what strangers said, and when, for the eyes of an operator."""

from datetime import UTC, datetime


def printable(text: str) -> str:
    """The text with its control characters escaped, so that it cannot command a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown_time(at_us: int) -> str:
    """ISO 8601 in UTC, to the millisecond; an instant that no calendar has as its number."""
    try:
        return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return f"{at_us} µs"
