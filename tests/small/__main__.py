"""`make small [READINGS=60000000 DAYS=30 LIMIT_MB=160]`: the agent under a hard limit of memory."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.small.agent import Small


def main() -> int:
    """Run it; the last line is JSON, the exit code 0 when all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.small", description=__doc__)
    parser.add_argument("--readings", type=int, default=60_000_000, help="in the buffer before")
    parser.add_argument("--days", type=float, default=30.0, help="of how many days they are")
    parser.add_argument("--limit-mb", type=int, default=160, help="of the control group")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidegate-small-") as folder:
        small = Small(Path(folder), asked.readings, asked.days, asked.limit_mb, say=_say)
        try:
            figures = small.run()
        except RuntimeError as error:
            print(json.dumps({"skipped": str(error)}))
            return 0
    for fault in small.faults:
        _say(f"FAULT: {fault}")
    print(json.dumps(figures | ({"faults": small.faults} if small.faults else {})))
    return int(bool(small.faults))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
