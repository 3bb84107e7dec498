"""`make crash-lake ROUNDS=N [SEED=S]`: whoever consolidates is killed at every step, by kill -9 and
by power cuts, and the tables are opened by the engines that people use.

A round: a life of a real process on a home of its own, ended at a drawn point; perhaps another that
recovers and is ended too; then one that lives. Homes go on for some rounds, two at a time. The last
line is one JSON object; the exit code is 0 only when nothing was wrong.
"""

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.crash.lake_home import Forked, Home, RoundFailedError, Tally

ROUNDS_A_HOME: Final = 20
ROUNDS_FOR_ALL: Final = 400
"""In so many rounds a process was killed at nearly every point: those left are named."""
WORKERS: Final = 2
MUTANTS: Final = ("", "data", "log .json", "log folder", "journal log")
"""What a disk never syncs, by how `Watch.place` ends; "": nothing."""
KINDS: Final = ("lost", "doubled", "foreign", "wrong", "aged", "unequal", "unreadable", "orphans")


def work(folder: Path, homes: list[tuple[int, int]], mutant: str) -> dict[str, Any]:
    """Rounds on some homes (seed, rounds), one after another; what is wrong is kept."""
    tally = Tally()
    for seed, rounds in homes:
        home = Home(folder / f"seed-{seed}", seed, tally, mutant)
        before = tally.counts["rounds"]
        try:
            home.rounds(rounds)
        except RoundFailedError as error:
            done = tally.counts["rounds"] - before
            tally.problems.append(f"home {seed}, round {done}, {home.root}: {error}")
        else:
            shutil.rmtree(home.root)
    return {f: getattr(tally, f) for f in ("counts", "seen", "hit", "problems")}


def campaign(
    folder: Path, rounds: int, seed: int, mutant: str = "", workers: int = WORKERS
) -> Tally:
    """All rounds, some homes at a time."""
    sizes = [min(ROUNDS_A_HOME, rounds - at) for at in range(0, rounds, ROUNDS_A_HOME)]
    homes = [(seed * 1000 + at, size) for at, size in enumerate(sizes)]
    shares = [homes[at::workers] for at in range(workers)]
    running = [Forked.begin(partial(work, folder, share, mutant), 0) for share in shares if share]
    tally = Tally()
    for one in running:
        ended, told = one.end()
        if "done" in told:
            tally.add(told["done"])
        else:
            tally.problems.append(told.get("failed", f"a worker ended by signal {ended}"))
    return tally


def told_of(tally: Tally, rounds: int, seed: int, seconds: float) -> dict[str, object]:
    """The one line."""
    counts = tally.counts
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    never = sorted(tally.seen.keys() - tally.hit.keys())
    told: dict[str, object] = {
        "rounds": counts["rounds"],
        "kills": counts["kills"],
        "power_cuts": counts["power_cuts"],
        "unsynced": counts["unsynced"],
        **{kind: counts[kind] for kind in KINDS},
        "opened_unrecovered": counts["found readable"],
        "opened_whole": counts["found whole"],
        "points": len(tally.seen),
        "points_killed_at": len(tally.hit),
        "never_killed_at": never if rounds >= ROUNDS_FOR_ALL else len(never),
        "came_to_no_kill": counts["missed"],
        "released": counts["released"],
        "retired": counts["retired"],
        "seed": seed,
        "seconds": round(seconds),
        "cpu_seconds": round(used.ru_utime + used.ru_stime),
    }
    return told | ({"problems": tally.problems} if tally.problems else {})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=WORKERS)
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
    return 1 if tally.problems or tally.counts["rounds"] < asked.rounds else 0


if __name__ == "__main__":
    sys.exit(main())
