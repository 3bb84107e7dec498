"""A campaign against the HTTP API: `python -m tests.fuzz.api --examples 2000 --seed 7`.

The last line is JSON: the seed, requests by status, and `faults`, which must be 0.
"""

import argparse
import json
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from tests.cloud.serve.serve_fuzz import fuzz, operations, world_at


def main() -> int:
    """Ask every route; the exit code is 1 when an answer broke the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=500, help="requests a route and mode")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    statuses: Counter[int] = Counter()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        world = world_at(Path(folder))
        for path, method, mode in operations():
            try:
                found = fuzz(world, path, method, mode, asked.examples, asked.seed)
            except* AssertionError as group:
                faults += 1
                print(f"{method} {path}, {mode.value}: {group.exceptions[0]}", flush=True)
            else:
                statuses += found
                print(f"{method} {path}, {mode.value}: {dict(sorted(found.items()))}", flush=True)
        world.close()
    told = {str(status): count for status, count in sorted(statuses.items())}
    print(json.dumps({"seed": asked.seed, "requests": statuses.total(), "statuses": told,
                      "faults": faults}))  # fmt: skip
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
