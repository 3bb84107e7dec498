"""Where a life of the lake's campaign ends: the points it comes past, and its aim.

A point is named by the command under way, and by what was told: a place on the disk, or a step of
the product (`lake_steps`). A life dies at the first point where its aim says so, and leaves word of
it outside the home.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zlib import crc32

DURING_S: Final = 0.003
"""How long at most something in Rust goes on before the process dies."""
DIED: Final = "died at "


@dataclass(frozen=True, slots=True)
class Aim:
    """At which points a life dies: at the ``drawn`` call of one, or where too few died so far.

    It dies with these ``odds`` at each visit of a point that is not ``spared`` and is this share's
    own: of so many shares each has its part, lest all die at the same.
    """

    seed: str
    spared: frozenset[str] = frozenset()
    odds: float = 0.0
    drawn: tuple[str, int] | None = None
    share: int = 0
    shares: int = 1

    def is_wanted(self, point: str) -> bool:
        """Whether it is one at which too few died."""
        return point not in self.spared and crc32(point.encode()) % self.shares == self.share


@dataclass(slots=True)
class Passed:
    """The points that a life came past, each how often, and the one at which it died, or ""."""

    calls: Counter[str] = field(default_factory=Counter)
    died_at: str = ""

    @classmethod
    def of(cls, told: Path) -> "Passed":
        """As the life itself told it."""
        passed = cls()
        for line in told.read_text().splitlines():
            if line.startswith(DIED):
                passed.died_at = line.removeprefix(DIED)
            else:
                passed.calls[line] += 1
        return passed


class Points:
    """Told of every point of a process; ``told`` gets their names, for those who come after."""

    def __init__(self, told: Path, command: str, aim: Aim | None) -> None:
        self._told = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self.command = command
        """What is under way; a command that does another's work first is called so meanwhile."""
        self._aim = aim
        self._chance = random.Random(None if aim is None else aim.seed)
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._is_dying = False

    def visit(self, point: str, within: str = "") -> None:
        """The process is there, with what it does ``within``; it may not return."""
        name = f"{self.command}{within and f', {within}'}: {point}"
        with self._lock:
            os.write(self._told, f"{name}\n".encode())
            self._seen[name] += 1
            if self._is_dying or not self._is_end(name):
                return
            self._is_dying = True
            os.write(self._told, f"{DIED}{name}\n".encode())
            delay_s = self._chance.uniform(0, DURING_S)
        if point.startswith("during "):  # what is in Rust goes on meanwhile
            threading.Thread(target=_die, args=(delay_s,), daemon=True).start()
        else:
            _die(0.0)

    def _is_end(self, name: str) -> bool:
        aim = self._aim
        if aim is None:
            return False
        is_drawn = aim.drawn == (name, self._seen[name])
        return is_drawn or (aim.is_wanted(name) and self._chance.random() < aim.odds)


def _die(delay_s: float) -> None:
    time.sleep(delay_s)
    os.kill(os.getpid(), signal.SIGKILL)
