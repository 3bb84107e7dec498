"""Zones and widths of buckets as parameters."""

import difflib
import re
from datetime import UTC, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytz

from cloud.query.grid import Unit, Width, width_of
from cloud.serve import kinds
from cloud.serve.params import Expected

_NAME: Final = re.compile(r"[A-Za-z0-9_+\-]{1,32}(/[A-Za-z0-9_+\-]{1,32}){0,2}")


def _read_zone(text: str) -> tzinfo:
    """From the machine's own table of zones, or where it has none from the one that we bring."""
    if text == "UTC":
        return UTC
    if _NAME.fullmatch(text) is None or text not in pytz.all_timezones_set:
        near = difflib.get_close_matches(text[:80], pytz.all_timezones, 1, 0.5)
        raise Expected("a zone such as Europe/Berlin", near[0] if near else "")
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError):
        with pytz.open_resource(text) as file:
            return ZoneInfo.from_file(file, text)


def _read_width(text: str) -> Width:
    try:
        return width_of(text)
    except ValueError as error:
        raise Expected(f"{error}, such as 15m", _near_width(text)) from None


def _near_width(text: str) -> str:
    """A number with a unit of another spelling."""
    found = re.fullmatch(r"\s*0*([1-9][0-9]{0,3})\s*([A-Za-z]+)\s*", text)
    if found is None:
        return ""
    unit = found[2].lower()
    for name, member in (("mi", Unit.MINUTE), ("mo", Unit.MONTH), ("ms", Unit.MILLISECOND)):
        if unit.startswith(name):
            return f"{found[1]}{member.value}"
    starts = [member for member in Unit if unit.startswith(member.value)]
    return f"{found[1]}{starts[0].value}" if starts else ""


ZONE: Final = kinds.made(_read_zone, examples=["Europe/Berlin"], maxLength=98)
"""A zone of the IANA table."""
WIDTH: Final = kinds.made(_read_width, pattern=r"^[1-9][0-9]{0,3}(ms|s|m|h|d|w|mo|y)$")
"""A width as `cloud.query.grid` writes it."""
