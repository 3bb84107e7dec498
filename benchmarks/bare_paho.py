"""The baseline: a paho subscriber that acknowledges and counts, and does nothing else.

`python -m benchmarks.bare_paho PORT CLIENT_ID COUNT` prints one JSON line and ends.
"""

import json
import resource
import sys
import time

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


def main(port: int, client_id: str, count: int) -> None:
    """Resume the session, take `count` messages, print what they cost."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    heard, first = 0, 0.0

    def on_message(*_: object) -> None:
        nonlocal heard, first
        heard += 1
        if heard == 1:
            first = time.perf_counter()

    client.on_message = on_message
    client.connect("127.0.0.1", port)
    before = resource.getrusage(resource.RUSAGE_SELF)
    while heard < count:
        client.loop(1.0)
    wall = time.perf_counter() - first
    after = resource.getrusage(resource.RUSAGE_SELF)
    client.disconnect()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps(
            {
                "msgs_per_s": heard / wall,
                "us_per_msg": cpu * 1e6 / heard,
                "rss_mb_peak": after.ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
