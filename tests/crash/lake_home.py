"""One home of the campaign of the lake: lives that end at drawn points, and what they left behind.

Each life, and each look at what it left, is a process of its own, forked: deltalake may not be
used before a fork.
"""

import logging
import random
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.crash.lake_check import readable, whole
from tests.crash.lake_disk import Notes, Watch, after_cut
from tests.crash.lake_fork import Forked
from tests.crash.lake_life import Life, make_small
from tests.crash.lake_points import Aim, Passed, Points
from tests.crash.lake_steps import RECOVERED, Steps
from tests.crash.lake_story import Story
from tests.crash.lake_tally import ENDS, Tally

COMMANDS: Final = ("erase", "rebuild", "retention", "vacuum")
COMMAND: Final = 0.3
COMMAND_SOUGHT: Final = 0.6
"""How often a round begins with an operator's command, and while some have points left."""
TRIES: Final = 3
"""How often a round goes on to be ended where too few were, before it is left to live."""
ODDS: Final = (1.0, 0.3, 0.1, 0.03)
TEAR: Final = 0.2
"""How often a round begins with a torn log, while points of mending one are left."""
FEW: Final = 20
"""Where so few points are left, a life dies at any of them that it comes past."""
MENDING: Final = re.compile(r" replace of \w+ log | log \.torn$")
"""Points where a torn log is mended, which one finds after few power cuts alone."""
ORPHANED: Final = re.compile(r"^serve, erasure")
"""Points of an order that the cloud carries out since its command, `erase`, did not live to."""
ORDERED: Final = re.compile(r"^erase, order: commit")
"""Points behind which such an order stands."""
LEAVE, LEAVE_SOUGHT = 0.1, 0.4
"""How often a round begins with an order left alone, and while points of taking one up are left."""
ENGINES_EACH: Final = 4
"""At each so-manieth look the tables are opened by polars and pyarrow too."""


class RoundFailedError(Exception):
    """Something is wrong with what the product did; the text says what."""


@dataclass(slots=True)
class Home:
    """One home with its story, for some rounds. ``mutant``: what its disk does not sync.

    ``share``: which points are its own to die at, of how many shares. ``spared``: by the way to
    end, where homes before it did; ``left``: where none of them did, though they came past.
    """

    root: Path
    seed: int
    tally: Tally
    mutant: str = ""
    share: tuple[int, int] = (0, 1)
    spared: dict[str, set[str]] = field(default_factory=lambda: {end: set() for end in ENDS})
    left: set[str] = field(default_factory=set)
    upto: int = 0
    lives: int = 0
    looks: int = 0
    cuts: int = 0
    calls: dict[str, Counter[str]] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    is_torn: bool = False
    """Whether nobody mended the tables since the power was cut: others cannot open them yet."""

    def begin(self) -> None:
        """An empty folder, durably."""
        self.home.mkdir(parents=True)
        self.notes.begin()

    def rounds(self, count: int) -> None:
        """Go on until ``count`` rounds are done or something is wrong."""
        self.begin()
        self.upto = (chance := random.Random(self.seed)).choice((8, 28))
        self._settle(chance)
        for _ in range(count):
            self._round(chance)
            self.tally.counts["rounds"] += 1

    @property
    def home(self) -> Path:
        """Where the cloud of the moment lives: a new folder after each power cut."""
        return self.root / f"home-{self.cuts}"

    @property
    def notes(self) -> Notes:
        """What is durable of it."""
        return Notes(self.home, self.root / "notes")

    @property
    def story(self) -> Story:
        """Of this home."""
        return Story(self.seed)

    @property
    def erased(self) -> set[int]:
        """The numbers of orders that were told to be carried out."""
        path = self.root / "erased"
        return {int(line) for line in path.read_text().split()} if path.exists() else set()

    def _round(self, chance: random.Random) -> None:
        self.upto += chance.randrange(1, 5)
        if (torn := self._torn(chance)) and chance.random() < TEAR:
            self._tear(chance, torn)
            self._attack(chance, "serve")  # as who starts the machine again does
        elif (orders := self._orders()) and chance.random() < self._leaving():
            aim = Aim(f"{self.seed}/{self.lives} leaves", drawn=(chance.choice(orders), 1))
            self.live("erase", (chance.choice(ENDS), aim), settles=False)
        else:
            self._attack(chance, self._command(chance))
        if chance.random() < 0.3:
            self._attack(chance, "serve")
        self._settle(chance)

    def _command(self, chance: random.Random) -> str:
        """Mostly the cloud itself; of the others rather one that has points nobody died at."""
        left = {ORPHANED.sub("erase,", p).split(":")[0].split(",")[0] for p in self._left()}
        names = [name for name in COMMANDS if name in left or name not in self.calls]
        likely = COMMAND_SOUGHT if names else COMMAND
        return chance.choice(names or COMMANDS) if chance.random() < likely else "serve"

    def _left(self) -> set[str]:
        """Points that were come past, and that nobody died at."""
        died = (*self.spared.values(), *self.tally.died.values())
        return self.left.union(self.tally.seen).difference(*died)

    def _attack(self, chance: random.Random, name: str) -> None:
        """A life that dies where too few did, or at a call that was drawn, if it comes there."""
        calls = self.calls.get(name)
        drawn = None
        if calls:
            point = chance.choice(sorted(calls))
            most = chance.randint(1, calls[point])  # this life may come past it less often
            drawn = (point, chance.randint(1, most))
        odds = chance.choice(ODDS) if name == "serve" else 1.0  # a command is short
        aim = self._aim(chance, odds if len(self._left()) > FEW else 1.0, drawn)
        if not self.live(name, aim, settles=chance.random() < 0.5):
            self.tally.counts["missed"] += 1
            if chance.random() < 0.5:
                self._cut(chance)

    def _leaving(self) -> float:
        return LEAVE_SOUGHT if any(map(ORPHANED.search, self._left())) else LEAVE

    def _orders(self) -> list[str]:
        """Where to leave an order alone, for the cloud to take up."""
        known = set(self.tally.seen).union(*self.spared.values())
        return sorted(point for point in known if ORDERED.search(point))

    def _torn(self, chance: random.Random) -> str:
        """A place in a log whose mending has points that nobody died at; "": there is none."""
        left = [point for point in sorted(self._left()) if MENDING.search(point)]
        return chance.choice(left).partition(" of ")[2].replace(".torn", ".json") if left else ""

    def _tear(self, chance: random.Random, place: str) -> None:
        """The power is cut before something in a log is synced: the late calls, behind recovery."""
        point = f"serve: before fsync of {place}"
        if most := self.calls.get("serve", Counter())[point]:
            drawn = (point, chance.randint(most // 2 + 1, most))
            seed = f"{self.seed}/{self.lives} tears"
            self.live("serve", ("cut", Aim(seed, drawn=drawn)), settles=True, torn=place)

    def _settle(self, chance: random.Random) -> None:
        """A life that lives, unless it comes past points at which too few died: then the next."""
        for _ in range(TRIES):
            if not self.live("serve", self._aim(chance, 1.0, None), settles=True):
                return
        self.live("serve", None, settles=True)

    def _aim(
        self, chance: random.Random, odds: float, drawn: tuple[str, int] | None
    ) -> tuple[str, Aim]:
        """How the life is to end, and where."""
        end = chance.choice(ENDS)
        left = len(self._left())  # first somehow, then in both ways
        ends = ENDS if left > FEW or (left and chance.random() < 0.5) else (end,)
        spared = frozenset().union(*(self.spared[one] | self.tally.died[one] for one in ends))
        return end, Aim(f"{self.seed}/{self.lives} dies", spared, odds, drawn, *self.share)

    def live(
        self, name: str, aim: tuple[str, Aim] | None, *, settles: bool, torn: str = ""
    ) -> bool:
        """One life; whether it died as it should. RoundFailedError when it ended otherwise.

        ``torn``: what a power cut tears for certain if it was not synced.
        """
        self.lives += 1
        told, seed = self.root / "points", f"{self.seed}/{self.lives}"

        def live() -> dict[str, int]:
            logging.disable()
            make_small()
            points = Points(told, name, None if aim is None else aim[1])
            Watch(self.notes, points, self._syncs).install()
            Steps(points).install()
            beside = (self.root / "acked", self.root / "erased")
            life = Life(self.home, self.story, random.Random(seed), *beside)
            if name == "serve":
                return life.serve(self.upto, settles=settles)
            return life.command(name, self.upto)

        ended, said = Forked.begin(live).end()
        passed = Passed.of(told)
        self.tally.seen.update(set(passed.calls))
        self.is_torn &= RECOVERED not in passed.calls
        if "done" in said:
            self.calls[name] = passed.calls
            if name == "serve" and settles:
                self._settled(said["done"])
            return False
        if ended != signal.SIGKILL or aim is None or not passed.died_at:
            raise RoundFailedError(said.get("failed", f"a process ended by signal {ended}"))
        self._ended(aim[0], passed.died_at, aim[1], torn)
        return True

    def _ended(self, end: str, point: str, aim: Aim, torn: str) -> None:
        self.tally.died[end].add(point)
        self.tally.counts["kills"] += 1
        if end == "cut":
            self._cut(random.Random(aim.seed), torn)
        elif not self.is_torn:
            lake, story, engines = self.home / "lake", self.story, self._engines()
            args = (lake, story, self.upto, self.erased)
            self._judge("readable", lambda: readable(*args, engines=engines))

    def _cut(self, chance: random.Random, torn: str = "") -> None:
        into = self.root / f"home-{self.cuts + 1}"
        self.tally.counts["unsynced"] += after_cut(self.notes, into, chance, torn)
        self.tally.counts["power_cuts"] += 1
        shutil.rmtree(self.home)
        self.cuts += 1
        self.is_torn = True
        self.notes.begin()

    def _engines(self) -> bool:
        """Whether other engines open the tables this time: they take longer than all the rest."""
        self.looks += 1
        return self.looks % ENGINES_EACH == 0

    def _syncs(self, place: str) -> bool:
        return not self.mutant or not place.endswith(self.mutant)

    def _settled(self, told: dict[str, int]) -> None:
        upto = self.upto
        if {told["head"], told["archived"]} != {upto}:
            raise RoundFailedError(f"not settled at {upto}: {told}")
        verifies = self.lives % 3 == 0  # it counts again what was just compared by value
        args, engines = (self.home, self.story, upto, self.erased), self._engines()
        self._judge("whole", lambda: whole(*args, verifies=verifies, engines=engines))
        self.notes.begin()
        for name in ("released", "retired", "erased"):
            self.tally.counts[name] += told[name] - self.totals[name]
            self.totals[name] = told[name]

    def _judge(self, name: str, work: Callable[[], Any]) -> None:
        def look() -> dict[str, Any]:
            found = work()
            return {"problems": found.problems, "rows": found.rows}

        _, told = Forked.begin(look).end()
        if "done" not in told:
            raise RoundFailedError(told.get("failed", f"{name}: it did not end"))
        self.tally.counts[f"found {name}"] += 1
        if told["done"]["problems"]:
            self.tally.counts.update(kind for kind, _ in told["done"]["problems"])
            raise RoundFailedError(f"{name}: {told['done']['problems'][:5]}")
