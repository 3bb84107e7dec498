"""Many seeded worlds over processes, and one line of JSON about them."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import takewhile
from random import Random
from typing import Any, cast

from tests.sim.disks import Disks, young_buffer
from tests.sim.kinds import Kind, kind_of
from tests.sim.mutants import MUTANTS, Mutant
from tests.sim.world import FAULTS, SPOILT, World
from tests.sim.world_on_disk import OF_A_DISK, WorldOnDisk

REACHED = {
    *(f"say {body}" for body in ("hello", "declare", "block", "epoch_request")),
    *(f"answer {body}" for body in ("resume", "ack", "resend", "epoch_grant")),
    *("torn", "disk full", "journal full", "session ended: full disk", "segment trimmed"),
    *("committer died", "told of what a lost cloud had"),
    *(f"answer {code}" for code in ("FENCED", "FORK", "CLONE", "SERIES_CONFLICT")),
    *(f"alarm {alarm}" for alarm in ("REWIND", "FORK", "CLONE", "FALLBACK")),
    *("Seal", "LoadBlocks", "LoadEntries", "Mark", "BeginEpoch", "Close", "sealed newest first"),
    *("older epochs freed", "gap of a lost journal", "late hello refused", "silence noticed"),
    *("evicted", "refused: full", "poison quarantined", "stale commit refused", "forgiven"),
    *("delayed", "drained"),
}
"""Every transition of the protocol that a campaign has to see; faults have a list of their own."""


@dataclass(frozen=True)
class Life:
    """How one world went; ``failure`` is None when all held to the end."""

    seed: int
    kind: Kind
    steps: int
    faults: Counter[str]
    reached: Counter[str]
    failure: str | None


@dataclass
class Sum:
    """A campaign so far."""

    seeds: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    failed: Life | None = None
    began_s: float = field(default_factory=time.monotonic)

    def add(self, life: Life) -> bool:
        """Count it; whether the campaign goes on."""
        self.seeds += 1
        self.kinds[life.kind.value] += 1
        self.steps += life.steps
        self.faults += life.faults
        self.reached += life.reached
        if life.failure is not None:
            self.failed = life
        return self.failed is None

    @property
    def missed(self) -> list[str]:
        """Faults and transitions that no world came to."""
        seen = {name for name, count in (self.faults + self.reached).items() if count}
        return sorted((FAULTS | OF_A_DISK | SPOILT | REACHED | {"fsync lost"}) - seen)

    def told(self) -> dict[str, Any]:
        """What the one line says."""
        return {
            "seeds": self.seeds,
            "real": dict(sorted(self.kinds.items())),
            "steps": self.steps,
            "faults": dict(sorted(self.faults.items())),
            "transitions": dict(sorted(self.reached.items())),
            "missed": self.missed,
            "failed_seed": self.failed.seed if self.failed else None,
            "failure": self.failed.failure if self.failed else None,
            "seconds": round(time.monotonic() - self.began_s, 1),
        }


def live(seed: int, steps: int, name: str | None = None) -> Life:
    """One world, from its seed; with the rule of this name taken away."""
    mutant = MUTANTS[name] if name else Mutant()
    with ExitStack() as stack:
        stack.enter_context(cast(AbstractContextManager[None], mutant.without()))
        kind = mutant.kind or kind_of(seed)
        if kind is Kind.RULES:
            world = World(seed, mutant.cloud())
        else:
            disks = stack.enter_context(Disks(Random(f"disks {seed}")).on())
            world = WorldOnDisk(seed, disks, has_lake=kind is Kind.LAKE)
        try:
            world.run(steps)
            failure = None
        except AssertionError as error:
            failure = f"step {world.steps}: {error}"
        except Exception as error:  # noqa: BLE001 - the supervisor: the seed is named, whatever it was
            failure = f"step {world.steps}: {type(error).__name__}: {error}"
    return Life(seed, kind, world.steps, world.faults, world.cloud.reached, failure)


def _live(job: tuple[int, int, str | None]) -> Life:
    return live(*job)


def campaign(seeds: range, steps: int, jobs: int, name: str | None = None) -> Sum:
    """Worlds of all seeds, in their order, until one fails."""
    total = Sum()
    young_buffer()  # once for all processes
    work = ((seed, steps, name) for seed in seeds)
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        lives: Iterator[Life] = pool.imap(_live, work, chunksize=1 if name else 4)
        for _ in takewhile(lambda goes_on: goes_on, map(total.add, lives)):
            pass
        pool.terminate()
    return total
