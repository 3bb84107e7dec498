"""`make crash-lake ROUNDS=N [SEED=S]`: whoever consolidates dies at every step, by kill -9 and by
power cuts, and the tables are opened by the engines that people use.

A round: a life of a real process on a home of its own, which dies at a point; perhaps another that
recovers and dies too; then one that lives, unless it comes past points at which too few died. Homes
go on for some rounds, four of them side by side; those that come later know where the earlier ones
died. What is drawn depends on the seed and the rounds alone. The last line is one JSON object; the
exit code is 0 only when nothing was wrong, and from ROUNDS_FOR_ALL rounds on only when a process
died at every point that OFTEN came past, and every step that the code names was among them.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.crash.lake_fork import Forked
from tests.crash.lake_home import Home, RoundFailedError
from tests.crash.lake_steps import names_among, names_in_code
from tests.crash.lake_tally import ENDS, Tally

SHARES: Final = 4
"""Homes side by side; in the first half each has its own part of the points to die at."""
ROUNDS_A_HOME: Final = 20
ROUNDS_FOR_ALL: Final = 400
"""So many rounds must have died at every point; of fewer those left are only counted."""
OFTEN: Final = 20
"""Lives that came past a point of which one must have died there: some points are a rare chance of
disk and order that a campaign meets once, in its last rounds maybe."""
MUTANTS: Final = ("", "data", "log .json", "log folder", "journal log")
"""What a disk never syncs, by how `Watch.place` ends; "": nothing."""
KINDS: Final = (
    "lost", "doubled", "foreign", "wrong", "aged", "kept", "unequal", "unreadable", "orphans"
)  # fmt: skip


def work(home: Home, known: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Rounds of a home, which knows where others died; what came of them alone."""
    for end, points in known["died"].items():
        home.spared[end] |= set(points)
    home.left |= set(known["never"])
    try:
        home.rounds(rounds)
    except RoundFailedError as error:
        where = f"home {home.seed}, round {home.tally.counts['rounds']}, {home.root}"
        home.tally.problems.append(f"{where}: {error}")
    else:
        shutil.rmtree(home.root)
    return home.tally.told()


def sizes(rounds: int) -> Iterator[list[int]]:
    """Rounds of homes side by side, time after time: about as many for each."""
    times = -(-rounds // (SHARES * ROUNDS_A_HOME))
    homes = [rounds * (at + 1) // (times * SHARES) - rounds * at // (times * SHARES)
             for at in range(times * SHARES)]  # fmt: skip
    for at in range(0, len(homes), SHARES):
        yield [size for size in homes[at : at + SHARES] if size]


def campaign(folder: Path, rounds: int, seed: int, mutant: str, workers: int) -> Tally:
    """All rounds, some homes at a time; and more of them while points are left that all must reach.

    At most as many more as were asked for: a point that comes up late had few rounds to be died at.
    """
    tally, begun = Tally(), 0
    times = list(sizes(rounds))
    for at, beside in enumerate([*times, *times]):
        if at >= len(times) and (tally.problems or not is_short(tally, rounds)):
            break
        known = tally.told() | {"never": sorted(tally.never)}
        running: list[Forked] = []
        for share, size in enumerate(beside):
            if len(running) == workers:
                _take(running.pop(0), tally)
            of = (share, len(beside)) if at < max(len(times) // 2, 1) else (0, 1)
            number = seed * 1000 + begun + share
            home = Home(folder / f"seed-{number}", number, Tally(), mutant, of)
            running.append(Forked.begin(partial(work, home, known, size), 0))
        for one in running:
            _take(one, tally)
        begun += len(beside)
    return tally


def _take(one: Forked, tally: Tally) -> None:
    ended, told = one.end()
    if "done" in told:
        tally.add(told["done"])
    else:
        tally.problems.append(told.get("failed", f"a worker ended by signal {ended}"))


def left_of(tally: Tally, rounds: int) -> dict[str, object]:
    """Points that were not died at, and steps in the code that nobody came past."""
    left = {"died": tally.never}
    left |= {
        {"kill": "killed", "cut": "cut"}[end]: set(tally.seen) - tally.died[end] for end in ENDS
    }
    never: dict[str, object] = {
        f"never_{name}_at": sorted(points) if rounds >= ROUNDS_FOR_ALL else len(points)
        for name, points in left.items()
    }
    return never | {"never_reached": sorted(names_in_code() - names_among(frozenset(tally.seen)))}


def is_short(tally: Tally, rounds: int) -> bool:
    """Whether so many rounds ought to have died at more, or come to more."""
    due = any(tally.seen[point] >= OFTEN for point in tally.never)
    return rounds >= ROUNDS_FOR_ALL and bool(due or left_of(tally, rounds)["never_reached"])


def told_of(tally: Tally, rounds: int, seed: int, seconds: float) -> dict[str, object]:
    """The one line."""
    counts = tally.counts
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told: dict[str, object] = {
        "rounds": counts["rounds"],
        "kills": counts["kills"],
        "power_cuts": counts["power_cuts"],
        "unsynced": counts["unsynced"],
        **{kind: counts[kind] for kind in KINDS},
        "opened_unrecovered": counts["found readable"],
        "opened_whole": counts["found whole"],
        "steps": len(tally.seen),
        "steps_died_at": len(tally.seen) - len(tally.never),
        "steps_killed_at": len(tally.died["kill"]),
        "steps_cut_at": len(tally.died["cut"]),
        **left_of(tally, rounds),
        "came_past_those": {point: tally.seen[point] for point in sorted(tally.never)},
        "came_to_no_death": counts["missed"],
        "released": counts["released"],
        "retired": counts["retired"],
        "erased": counts["erased"],
        "seed": seed,
        "seconds": round(seconds),
        "cpu_seconds": round(used.ru_utime + used.ru_stime),
    }
    return told | ({"problems": tally.problems} if tally.problems else {})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    cpus = len(os.sched_getaffinity(0))
    parser.add_argument("--workers", type=int, default=min(SHARES, cpus), help="homes at a time")
    parser.add_argument("--mutant", choices=MUTANTS, default="", help="what is never synced")
    asked = parser.parse_args()
    seed = int(time.time()) % 1_000_000 if asked.seed is None else asked.seed
    folder = Path(tempfile.mkdtemp(prefix=f"tidegate-crash-lake-{seed}-")).resolve()
    began = time.monotonic()
    tally = campaign(folder, asked.rounds, seed, asked.mutant, asked.workers)
    if tally.problems:
        print(f"FAILED; again: make crash-lake ROUNDS={asked.rounds} SEED={seed}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    print(json.dumps(told_of(tally, asked.rounds, seed, time.monotonic() - began)))
    is_bad = tally.problems or tally.counts["rounds"] < asked.rounds
    return 1 if is_bad or is_short(tally, asked.rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
