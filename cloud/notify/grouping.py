"""Pure: which of what is to be told becomes one message, and when it goes.

What one rule has to tell one channel waits until the first of it is ``group_us`` old, and through
the channel's quiet times if it does not matter enough; then all of it is one message, or a few
where it is more than one may hold.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cloud.notify.standing import Change

TURNS_IN_MESSAGE_MAX: Final = 100
"""Standings in one message: 30 kB of JSON; of a thousand gateways there are ten messages."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One change of a standing that waits to be told to a channel; ``number`` is its order."""

    number: int
    channel: str
    rule: str
    standing: str
    change: Change
    at_us: int


@dataclass(frozen=True, slots=True)
class Group:
    """Turns of one channel and rule, that are one message; each standing's last change counts."""

    channel: str
    rule: str
    turns: tuple[Turn, ...]

    @property
    def changes(self) -> Mapping[str, Change]:
        """The last change of each standing, in the order in which they came."""
        return {turn.standing: turn.change for turn in self.turns}


def due(
    turns: Iterable[Turn], group_us: int, now_us: int, holds: Callable[[str, str], bool]
) -> list[Group]:
    """The messages that go now; ``holds`` says whether a channel is quiet for a rule."""
    waiting: dict[tuple[str, str], list[Turn]] = {}
    for turn in sorted(turns, key=lambda turn: turn.number):
        waiting.setdefault((turn.channel, turn.rule), []).append(turn)
    found = []
    for (channel, rule), held in waiting.items():
        # A clock that was set back makes nothing wait for longer than a window.
        is_ripe = not 0 <= now_us - held[0].at_us < group_us
        if is_ripe and not holds(channel, rule):
            found += [Group(channel, rule, part) for part in _parts(held)]
    return found


def _parts(held: Sequence[Turn]) -> list[tuple[Turn, ...]]:
    """Cut where a message would be of too many standings; all turns of one stay together."""
    place: dict[str, int] = {}
    for turn in held:
        place.setdefault(turn.standing, len(place))
    parts: list[list[Turn]] = [[] for _ in range((len(place) - 1) // TURNS_IN_MESSAGE_MAX + 1)]
    for turn in held:
        parts[place[turn.standing] // TURNS_IN_MESSAGE_MAX].append(turn)
    return [tuple(part) for part in parts]
