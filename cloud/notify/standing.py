"""Pure: what stands: found at each look, begun once, ended once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cloud.notify.channel import Severity
from cloud.notify.rule import What

Detail = Mapping[str, str | float | int]
Key = tuple[str, str]
"""Rule and subject: of each only one stands at a time."""
OPEN_MAX: Final = 10_000
"""Standings at a time; what comes beyond is not told, and that is counted."""


class Change(StrEnum):
    """What is told of a standing."""

    BEGUN = "begun"
    AGAIN = "again"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Finding:
    """One look's word that something stands since ``since_us``.

    ``subject`` tells it from others of its rule; ``device`` and ``metric`` are empty where it is
    about a gateway. ``detail`` are facts in words and numbers.
    """

    rule: str
    what: What
    subject: str
    severity: Severity
    gateway: str
    since_us: int
    device: str = ""
    metric: str = ""
    detail: Detail = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What it is one of at a time."""
        return self.rule, self.subject


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found to stand: ``id`` for ever, ``ended_us`` None until it ended.

    ``told_us`` is when it was last put to be told, ``detail`` what was found last.
    """

    id: str
    found: Finding
    told_us: int
    ended_us: int | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """What one look changed. ``refused``: findings beyond OPEN_MAX."""

    begun: tuple[Finding, ...]
    ended: tuple[Standing, ...]
    again: tuple[Standing, ...]
    refused: int


def turned(
    open_: Mapping[Key, Standing],
    found: Iterable[Finding],
    repeats_us: Mapping[str, int],
    now_us: int,
    *,
    unknown: Collection[str] = (),
    most: int = OPEN_MAX,
) -> Turned:
    """Compare what stood with what is found now.

    ``repeats_us``: after how long each rule's is told again (0: never). ``unknown`` are rules that
    could not look this time: what stood by them stands.
    """
    now = {finding.key: finding for finding in found}
    new = [finding for key, finding in now.items() if key not in open_]
    ended = tuple(
        one for key, one in open_.items() if key not in now and one.found.rule not in unknown
    )
    room = max(most - (len(open_) - len(ended)), 0)
    again = tuple(
        one
        for key, one in open_.items()
        if key in now and 0 < repeats_us.get(one.found.rule, 0) <= now_us - one.told_us
    )
    return Turned(tuple(new[:room]), ended, again, len(new) - len(new[:room]))
