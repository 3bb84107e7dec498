"""`make reconnect [GATEWAYS=1000 BACKLOG_KB=640]`: all gateways come back to a restarted cloud."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from protos.limits import KIB
from tests.reconnect.campaign import Reconnect


def main() -> int:
    """Run it; the last line is JSON, the exit code 0 when all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.reconnect", description=__doc__)
    parser.add_argument("--gateways", type=int, default=1000)
    parser.add_argument("--backlog-kb", type=int, default=640, help="of each gateway")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidegate-reconnect-") as folder:
        campaign = Reconnect(Path(folder), asked.gateways, asked.backlog_kb * KIB, _say)
        try:
            told = campaign.run()
        finally:
            campaign.close()
            _say(campaign.cloud.tail(5))
    for fault in campaign.faults:
        _say(f"FAULT: {fault}")
    print(json.dumps(told | ({"faults": campaign.faults} if campaign.faults else {})))
    return int(bool(campaign.faults))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
