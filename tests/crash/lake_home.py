"""One home of the campaign of the lake: lives that end at drawn points, and what they left behind.

Each life, and each look at what it left, is a process of its own, forked: deltalake may not be
used before a fork.
"""

import json
import logging
import os
import random
import shutil
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.crash.lake_check import readable, whole
from tests.crash.lake_disk import DURING_S, Notes, Order, Points, Watch, after_cut
from tests.crash.lake_life import Life, make_small
from tests.crash.lake_story import Story

STUCK_S: Final = 120
COMMANDS: Final = ("rebuild", "retention", "vacuum")


@dataclass(slots=True)
class Tally:
    """What rounds came to; summed over homes."""

    counts: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    hit: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, other: dict[str, Any]) -> None:
        """What another worker counted."""
        self.counts.update(other["counts"])
        self.seen.update(other["seen"])
        self.hit.update(other["hit"])
        self.problems += other["problems"]


class RoundFailedError(Exception):
    """Something is wrong with what the product did; the text says what."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A process that does one thing and tells what it came to; 0 seconds are no limit."""

    pid: int
    pipe: int

    @classmethod
    def begin(cls, work: Callable[[], Any], limit_s: int = STUCK_S) -> "Forked":
        """Start it; nothing here may have a thread yet."""
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid:
            os.close(theirs)
            return cls(pid, ours)
        os.close(ours)
        signal.alarm(limit_s)
        try:
            told = {"done": work()}
        except BaseException:  # noqa: BLE001 - the supervisor of a round gets all of it
            told = {"failed": traceback.format_exc(limit=-6)}
        with os.fdopen(theirs, "w") as pipe:
            json.dump(told, pipe)
        os._exit(0)

    def end(self) -> tuple[int, dict[str, Any]]:
        """Wait for it: the signal it died of, 0 for none, and ``done`` or ``failed`` if it told."""
        with os.fdopen(self.pipe) as pipe:
            said = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return ended, {} if ended or not said else json.loads(said)


@dataclass(slots=True)
class Home:
    """One home with its story, for some rounds. ``mutant``: what its disk does not sync."""

    root: Path
    seed: int
    tally: Tally
    mutant: str = ""
    upto: int = 0
    lives: int = 0
    cuts: int = 0
    calls: dict[str, Counter[str]] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)

    def rounds(self, count: int) -> None:
        """Go on until ``count`` rounds are done or something is wrong."""
        self.home.mkdir(parents=True)
        self.notes.begin()
        chance = random.Random(self.seed)
        self._live(chance, "serve", 8, None, settles=True)
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

    def _round(self, chance: random.Random) -> None:
        upto = self.upto + chance.randrange(1, 5)
        name = chance.choice(COMMANDS) if chance.random() < 0.2 else "serve"
        self._attack(chance, name, upto)
        if chance.random() < 0.3:
            self._attack(chance, "serve", upto)
        self.upto = upto
        self._live(chance, "serve", upto, None, settles=True)

    def _attack(self, chance: random.Random, name: str, upto: int) -> None:
        order = self._order(chance, name)
        is_killed = self._live(chance, name, upto, order, settles=chance.random() < 0.5)
        self.tally.counts["kills" if is_killed else "missed"] += 1
        if chance.random() < 0.5:
            self._cut(chance)
        else:
            self._judge("readable", lambda: readable(self.home / "lake", self.story, upto))

    def _cut(self, chance: random.Random) -> None:
        notes = self.notes
        into = self.root / f"home-{self.cuts + 1}"
        self.tally.counts["unsynced"] += after_cut(notes, into, chance)
        self.tally.counts["power_cuts"] += 1
        shutil.rmtree(self.home)
        self.cuts += 1
        self.notes.begin()

    @property
    def story(self) -> Story:
        """Of this home."""
        return Story(self.seed)

    def _order(self, chance: random.Random, name: str) -> Order:
        """A point that such a life came past, mostly one at which few died."""
        calls = self.calls.get(name) or self.calls["serve"]
        few = min(self.tally.hit[f"{name}: {point}"] for point in calls)
        points = sorted(p for p in calls if self.tally.hit[f"{name}: {p}"] == few)
        point = chance.choice(points if chance.random() < 0.8 else sorted(calls))
        most = chance.randint(1, calls[point])  # this life may come past it less often
        return Order(point, chance.randint(1, most), chance.uniform(0, DURING_S))

    def _live(
        self, chance: random.Random, name: str, upto: int, order: Order | None, *, settles: bool
    ) -> bool:
        """One life; whether it was killed. RoundFailedError when it ended otherwise."""
        self.lives += 1
        passed, seed = self.root / "points", f"{self.seed}/{self.lives}"

        def live() -> dict[str, int]:
            logging.disable()
            make_small()
            points = Points(passed, order)
            Watch(self.notes, points, self._syncs).install()
            life = Life(
                self.home, self.story, random.Random(seed), self.root / "acked", points.visit
            )
            if name == "serve":
                return life.serve(upto, settles=settles)
            return life.command(name, upto)

        ended, told = Forked.begin(live).end()
        calls = Counter(passed.read_text().splitlines())
        self.tally.seen.update(dict.fromkeys((f"{name}: {point}" for point in calls), 1))
        if "done" in told:
            self.calls[name] = calls
            if name == "serve" and settles:
                self._settled(told["done"], upto)
            return False
        if ended != signal.SIGKILL or order is None:
            raise RoundFailedError(told.get("failed", f"a process ended by signal {ended}"))
        self.tally.hit[f"{name}: {order.point}"] += 1
        return True

    def _syncs(self, place: str) -> bool:
        return not self.mutant or not place.endswith(self.mutant)

    def _settled(self, told: dict[str, int], upto: int) -> None:
        if {told["head"], told["archived"]} != {upto}:
            raise RoundFailedError(f"not settled at {upto}: {told}")
        verifies = self.lives % 3 == 0  # it counts again what was just compared by value
        self._judge("whole", lambda: whole(self.home, self.story, upto, verifies=verifies))
        self.upto = upto
        self.notes.begin()
        for name in ("released", "retired"):
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
