"""The whole agent over a while: resident memory must be a flat line once it is warm.

`python -m benchmarks.soak [MINUTES] [MESSAGES_PER_S]`. Real broker, cloud and gateway; twenty
devices publish at QoS 1, and in the middle third the cloud is away, so that a backlog grows and
drains. Memory is the kernel's figure of the agent's process, once a second. Its baseline is itself:
the median of the tenth of the time after the warm-up (the first fifth) against that of the last
tenth. Ends with one JSON line.
"""

import json
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.stack import Stack, new_stack, wait_until

MINUTES, PER_S, DEVICES = 10.0, 500, 20
LOOK_S = 1.0
PULSE_S = 0.1
MIB = 1 << 20


class Sensors:
    """Publishes on a thread of its own until it is stopped; `sent` counts."""

    def __init__(self, port: int, per_s: int) -> None:
        self.sent = 0
        self._stopped = threading.Event()
        self._each = max(1, round(per_s * PULSE_S))
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="soak-sensors")
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, name="soak-sensors")
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(PULSE_S):
            for _ in range(self._each):
                self.sent += 1
                value = 20 + (self.sent % 97) / 10
                topic = f"soak/d{self.sent % DEVICES}"
                self._client.publish(topic, f'{{"temperature":{value:.1f}}}', qos=1)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._client.loop_stop()
        self._client.disconnect()


@dataclass
class Watch:
    """Resident MiB of a process by the second."""

    process: psutil.Process
    seen: list[float] = field(default_factory=list)

    def until(self, at: float) -> None:
        """Look once a second until then."""
        while time.monotonic() < at:
            self.seen.append(self.process.memory_info().rss / MIB)
            time.sleep(LOOK_S)


def soaked(stack: Stack, minutes: float, per_s: int) -> dict[str, Any]:
    """Run it, and say how memory went; the backlog is drained in the end."""
    stack.prepare()
    stack.start_cloud()
    stack.enroll()
    stack.start_edge()
    assert stack.edge.process is not None
    sensors = Sensors(stack.broker.port, per_s)
    watch = Watch(psutil.Process(stack.edge.process.pid))
    began, seconds = time.monotonic(), minutes * 60
    try:
        watch.until(began + seconds / 3)
        stack.cloud.stop()
        watch.until(began + 2 * seconds / 3)
        stack.start_cloud()
        watch.until(began + seconds)
    finally:
        sensors.stop()
    drained = time.monotonic()
    wait_until("the buffer is archived", lambda: stack.edge_status()["buffer"]["rows"] == 0, 300)
    looks = len(watch.seen)
    warm = watch.seen[looks // 5 : looks // 5 + max(1, looks // 10)]
    late = watch.seen[-max(1, looks // 10) :]
    return {
        "minutes": minutes,
        "messages": sensors.sent,
        "outage_s": round(seconds / 3),
        "drained_s": round(time.monotonic() - drained, 1),
        "rss_mb_warm": round(statistics.median(warm), 1),
        "rss_mb_late": round(statistics.median(late), 1),
        "rss_mb_peak": round(max(watch.seen), 1),
        "growth_mb": round(statistics.median(late) - statistics.median(warm), 1),
        "rss_mb": [round(one, 1) for one in watch.seen[:: max(1, looks // 20)]],
    }


def main(minutes: float = MINUTES, per_s: int = PER_S) -> dict[str, Any]:
    """One soak in a folder of its own."""
    with tempfile.TemporaryDirectory() as place:
        stack = new_stack(Path(place) / "stack", "mosquitto")
        try:
            return soaked(stack, minutes, per_s)
        finally:
            stack.close()


if __name__ == "__main__":
    words = sys.argv[1:]
    said = main(*(float(word) for word in words[:1]), *(int(word) for word in words[1:2]))
    print(json.dumps(said))
