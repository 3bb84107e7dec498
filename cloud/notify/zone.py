"""Zones by name: of the machine's own table, or where it has none of the one that we bring."""

import difflib
import re
from datetime import UTC, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_NAME: Final = re.compile(r"[A-Za-z0-9_+\-]{1,32}(/[A-Za-z0-9_+\-]{1,32}){0,2}")


def zone_named(name: str) -> tzinfo | None:
    """The zone of this name; None where there is none."""
    if name == "UTC":
        return UTC
    # Loaded for who names a zone alone: every command reads the settings.
    import pytz

    if _NAME.fullmatch(name) is None or name not in pytz.all_timezones_set:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        with pytz.open_resource(name) as file:
            return ZoneInfo.from_file(file, name)


def nearest_zone(name: str) -> str:
    """The zone whose name comes nearest; empty where none is near."""
    import pytz

    near = difflib.get_close_matches(name[:80], pytz.all_timezones, 1, 0.5)
    return near[0] if near else ""
