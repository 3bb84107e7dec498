"""`make flood [FLOOD_SECONDS=10]`: garbage at full speed on one topic, delays of another one."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.flood.campaign import DELAY_S_MAX, campaign


def main() -> int:
    """Run it; the last line is JSON, the exit code 0 when all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.flood", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each flood (default 10)")
    allowed = "the longest delay, in seconds (default 2: what is promised of a machine at rest)"
    parser.add_argument("--delay", type=float, default=DELAY_S_MAX, help=allowed)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidegate-flood-") as folder:
        told = campaign(Path(folder), asked.seconds)
    faults = []
    for one in told:
        print(json.dumps(one.line()), file=sys.stderr)
        found = one.faults()
        if max(one.delays_s, default=0.0) > asked.delay:
            found.append(f"a reading came after {max(one.delays_s):.1f} s")
        faults += [f"{one.kind}, QoS {one.qos}: {fault}" for fault in found]
    for fault in faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    delay_s = max((max(one.delays_s, default=0.0) for one in told), default=0.0)
    print(json.dumps({
        "delay_s_max": round(delay_s, 3), "delay_s_allowed": asked.delay,
        "rss_mb_peak": round(max(one.rss_mb_peak for one in told), 1),
        "floods": [one.line() for one in told], "faults": faults,
    }))  # fmt: skip
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
