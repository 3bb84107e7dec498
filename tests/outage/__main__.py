"""`make outage [READINGS=60000000 DAYS=30 CAP_MB=512]`: a long outage in simulated time."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from protos.limits import MIB
from tests.outage.campaign import Outage


def main() -> int:
    """Run it; the last line is JSON, the exit code 0 when all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.outage", description=__doc__)
    parser.add_argument("--readings", type=int, default=60_000_000, help="collected while away")
    parser.add_argument("--days", type=float, default=30.0, help="how long the cloud is away")
    parser.add_argument("--cap-mb", type=float, default=512.0, help="the buffer's bytes_max")
    parts = "commits in which live readings of 5 s come; 1 makes for the thinnest line"
    parser.add_argument("--live-commits", type=int, default=20, help=parts)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidegate-outage-") as folder:
        outage = Outage(
            Path(folder),
            asked.readings,
            asked.days,
            int(asked.cap_mb * MIB),
            asked.live_commits,
            _say,
        )
        told = outage.run()
    for fault in outage.faults:
        _say(f"FAULT: {fault}")
    print(json.dumps(told | ({"faults": outage.faults} if outage.faults else {})))
    return int(bool(outage.faults))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
