"""Which faults a campaign brings, and in which order: all of them before any comes again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.crash.faults import BadLine, Fault, KillAtPoint, KillAtRandom, WrongClock
from tests.crash.faults_disk import (
    DeadDisk,
    FailingDisk,
    FullDisk,
    FullMemory,
    PowerCut,
    SlowDisk,
)
from tests.crash.line import Trouble
from tests.crash.orders import FAILPOINTS

HALVES = ("edge", "cloud")
CLOCKS = ("@1970-01-01 00:00:10", "-400d", "+400d")
PUT_BACK_MAX = 3


@dataclass(slots=True)
class Deck:
    """Faults in a shuffled order, each once before any comes again; ``first`` ones at the start."""

    chance: random.Random
    kinds: Sequence[Fault]
    first: Sequence[Fault] = ()
    _left: list[Fault] = field(default_factory=list)
    _put_back: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rest = [kind for kind in self.kinds if kind not in self.first]
        self._left = [*self.first, *self.chance.sample(rest, len(rest))]

    def draw(self) -> Fault:
        """The next one."""
        if not self._left:
            self._left = self.chance.sample(self.kinds, len(self.kinds))
        return self._left.pop(0)

    def put_back(self, fault: Fault) -> None:
        """It did not come about: try again soon, but not for ever."""
        tried = self._put_back[fault.name] = self._put_back.get(fault.name, 0) + 1
        if tried <= PUT_BACK_MAX:
            self._left.insert(min(2, len(self._left)), fault)


@dataclass(slots=True)
class Plan:
    """Every round a kill, and with it a trouble of a line or a machine in turns.

    Args:
        kills, lines, machines: the decks.
        has_troubles: whether there are any; a narrow plan has kills alone.
    """

    kills: Deck
    lines: Deck
    machines: Deck
    has_troubles: bool = True
    _round: int = 0

    def draw(self) -> tuple[Fault, Fault | None]:
        """The kill of the next round, and the trouble in which it falls."""
        kill = self.kills.draw()
        if not self.has_troubles or isinstance(kill, DeadDisk | FullMemory):
            return kill, None
        self._round += 1
        # A disk that is mounted anew is not filled or made to fail meanwhile.
        is_line = isinstance(kill, PowerCut) or self._round % 2 == 0
        return kill, (self.lines if is_line else self.machines).draw()

    def put_back(self, fault: Fault) -> None:
        """See `Deck.put_back`."""
        for deck in (self.kills, self.lines, self.machines):
            if fault in deck.kinds:
                deck.put_back(fault)

    def names(self) -> list[str]:
        """Everything that a full campaign brings."""
        decks = (self.kills, self.lines, self.machines) if self.has_troubles else (self.kills,)
        return [fault.name for deck in decks for fault in deck.kinds]


def whole_plan(seed: int, *, disks: bool, faketime: str) -> Plan:
    """Everything there is; the first rounds kill each part, and cut the power of both halves.

    Args:
        seed: of the order.
        disks: whether the halves have disks that can be filled and cut.
        faketime: the library that gives a process another clock, or "".
    """
    first: list[Fault] = [KillAtRandom("edge"), KillAtRandom("broker"), KillAtRandom("cloud")]
    cuts: list[Fault] = [PowerCut(half) for half in HALVES] if disks else []
    kills = [*first, *cuts, *(KillAtRandom(half, 2) for half in HALVES)]
    kills += [KillAtPoint(point) for point in FAILPOINTS]
    machines: list[Fault] = [SlowDisk(half) for half in HALVES]
    for half in HALVES:
        machines += [FailingDisk(half, operation) for operation in ("log-sync", "log-write")]
    machines.append(FailingDisk("cloud", "fsync"))
    if disks:
        kills += [*map(DeadDisk, HALVES), *map(FullMemory, HALVES)]
        machines += [FullDisk(half) for half in HALVES]
    if faketime:
        machines += [WrongClock(clock, faketime) for clock in CLOCKS]
    lines: list[Fault] = [BadLine(to, trouble) for to in ("broker", "cloud") for trouble in Trouble]
    chance = random.Random(seed)
    return Plan(
        Deck(chance, kills, [*chance.sample(first, 3), *cuts]),
        Deck(chance, lines),
        Deck(chance, machines),
    )


def narrow_plan(seed: int, kills: Sequence[Fault]) -> Plan:
    """These kills alone, over and over."""
    chance = random.Random(seed)
    return Plan(Deck(chance, kills), Deck(chance, ()), Deck(chance, ()), has_troubles=False)
