"""`make card-day [CARD_SENDS=4 CARD_LINGER_S=900]`: what a day costs the card and a SIM."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.card_day.day import PROFILE_LINGER_S, Day, line_of


def main() -> int:
    """Run it; the last line is JSON, the exit code 0 when all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.card_day", description=__doc__)
    parser.add_argument("--sends", type=int, default=4, help="waits that are measured")
    parser.add_argument("--linger-s", type=float, default=PROFILE_LINGER_S, help="one wait")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidegate-card-day-") as folder:
        day = Day(Path(folder), asked.sends, asked.linger_s, _say)
        figures = day.run()
    for fault in day.faults:
        _say(f"FAULT: {fault}")
    print(line_of(figures, day.faults))
    return int(bool(day.faults))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
