"""Pure: the order of versions, the same in both halves."""

import re

Key = tuple[tuple[int, int, str], ...]


def version_key(version: str) -> Key:
    """What versions are sorted by: runs of digits as numbers, so that 1.10 comes after 1.9.

    A part that is missing comes before any that is there: 1 is before 1.0, and 1.0 before 1.0a.
    """
    parts = re.findall(r"\d+|[^\d.\-_+]+", version)
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts)


def is_older(version: str, than: str) -> bool:
    """Whether ``version`` comes before ``than``."""
    return version_key(version) < version_key(than)
