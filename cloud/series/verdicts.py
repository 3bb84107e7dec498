"""What people say of episodes: confirmed or dismissed, with a note and an author.

A verdict is never changed and never deleted: the newest of an episode counts, and one that says
`open` takes the others back. They are few and told with every list of episodes, so all are held in
memory; what is written is in the store before it is seen.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Protocol

VERDICTS_MAX: Final = 100_000
"""Verdicts that one cloud keeps, older ones of an episode too: some 40 MB at the longest notes."""


class VerdictKind(Enum):
    """What is said of an episode; the value is its name on the wire and in the store."""

    CONFIRMED = "confirmed"
    """Something was wrong."""
    DISMISSED = "dismissed"
    """Nothing was."""
    OPEN = "open"
    """What was said before is taken back."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``episode`` is its id in hexadecimal, ``from_us`` its beginning, ``number`` their order."""

    id: str
    episode: str
    series: int
    from_us: int
    kind: VerdictKind
    note: str
    author: str
    created_us: int
    number: int = 0

    def says_as(self, other: "Verdict") -> bool:
        """Whether both say the same, whenever they were given."""
        return replace(self, created_us=0, number=0) == replace(other, created_us=0, number=0)


class Store(Protocol):
    """Where verdicts are durable: `cloud.registry.registry.Registry`."""

    def verdicts(self) -> list[Verdict]:
        """Every verdict in the order they were given."""

    def add_verdict(self, verdict: Verdict) -> int:
        """Keep a new verdict, durably; says its number."""


class VerdictTaken(Exception):  # noqa: N818 - the caller's fault
    """A verdict of this id says something else; the argument is the id."""


class TooManyVerdicts(Exception):  # noqa: N818 - a state
    """VERDICTS_MAX are there."""


@dataclass(frozen=True, slots=True)
class _Held:
    """All verdicts by id, and the newest of each episode."""

    by_id: Mapping[str, Verdict]
    newest: Mapping[str, Verdict]


class Verdicts:
    """All verdicts; any thread may call. StorageError where the store fails."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._held = _held(store.verdicts())

    def add(self, verdict: Verdict) -> Verdict:
        """Keep a verdict; a repeated one is not kept twice. VerdictTaken, TooManyVerdicts."""
        with self._lock:
            held = self._held
            before = held.by_id.get(verdict.id)
            if before is not None:
                if before.says_as(verdict):
                    return before
                raise VerdictTaken(verdict.id)
            if len(held.by_id) >= VERDICTS_MAX:
                raise TooManyVerdicts
            kept = replace(verdict, number=self._store.add_verdict(verdict))
            self._held = _held([*held.by_id.values(), kept])
            return kept

    def of(self, episode: str) -> Verdict | None:
        """What counts of an episode; None when nobody said anything, or it was taken back."""
        found = self._held.newest.get(episode)
        return None if found is None or found.kind is VerdictKind.OPEN else found

    def newest(self, episode: str) -> Verdict | None:
        """The last that was said of an episode."""
        return self._held.newest.get(episode)

    def all(self) -> list[Verdict]:
        """Every verdict, the last given first."""
        return sorted(self._held.by_id.values(), key=lambda verdict: -verdict.number)


def _held(verdicts: Iterable[Verdict]) -> _Held:
    by_id: dict[str, Verdict] = {}
    newest: dict[str, Verdict] = {}
    for verdict in verdicts:
        by_id[verdict.id] = verdict
        newest[verdict.episode] = verdict
    return _Held(by_id, newest)
