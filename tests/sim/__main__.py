"""`make sim SEEDS=2000`, `make sim SEED=7` (one world again), `make sim-mutants`."""

import argparse
import json
import os
import sys

from tests.sim.campaign import Sum, campaign, live
from tests.sim.mutants import MUTANTS


def main() -> int:
    """Run what was asked; the last line is JSON, the exit code 0 when all is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="worlds, from seed 0 on")
    parser.add_argument("--seed", type=int, help="this one world alone, to replay a failure")
    parser.add_argument("--steps", type=int, default=5000, help="steps of a world (default 5000)")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--mutants", action="store_true", help="show that each rule is missed")
    asked = parser.parse_args()
    if asked.mutants:
        return _mutants(asked.seeds, asked.steps, asked.jobs)
    if asked.seed is not None:
        total = Sum()
        total.add(live(asked.seed, asked.steps))
        print(json.dumps(total.told()))
        return int(total.failed is not None)
    total = campaign(range(asked.seeds), asked.steps, asked.jobs)
    print(json.dumps(total.told()))
    if total.failed is not None:
        again = f"make sim SEED={total.failed.seed} STEPS={asked.steps}"
        print(f"seed {total.failed.seed}: {total.failed.failure}; again: {again}", file=sys.stderr)
    elif total.missed:
        print(f"never reached: {', '.join(total.missed)}; more SEEDS", file=sys.stderr)
    return int(total.failed is not None or bool(total.missed))


def _mutants(seeds: int, steps: int, jobs: int) -> int:
    caught = {}
    for name in MUTANTS:
        failed = campaign(range(seeds), steps, jobs, name).failed
        caught[name] = {"seed": failed.seed, "told": failed.failure} if failed else None
    print(json.dumps({"seeds": seeds, "without": caught}))
    return int(None in caught.values())


if __name__ == "__main__":
    sys.exit(main())
