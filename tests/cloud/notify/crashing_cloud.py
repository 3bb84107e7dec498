"""A process that keeps a message and tells a channel of it, to be killed at any moment.

`python -m tests.cloud.notify.crashing_cloud FILE URL put|send`: `put` ends by SIGKILL once the
message is kept; `send` delivers what waits until it is killed.
"""

import os
import signal
import sys
import time
from pathlib import Path

from cloud.notify.delivery import Delivery
from cloud.notify.file import NotifyFile
from cloud.notify.outbox import Outbox
from cloud.notify.webhook import Webhook
from tests.cloud.notify.told_world import document

DAY_US = 86_400_000_000


def now_us() -> int:
    return time.time_ns() // 1000


def main(path: Path, url: str, what: str) -> None:
    file = NotifyFile.open(path)
    outbox = Outbox(file, 100, DAY_US)
    if what == "put":
        outbox.put("ops", document(), now_us())
        os.kill(os.getpid(), signal.SIGKILL)
    hook = Webhook(url, "", "", 10.0, path.parent, "tidegate/1")
    delivery = Delivery("ops", hook, outbox, now_us, 1_000_000)
    while True:
        time.sleep(delivery.step())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
