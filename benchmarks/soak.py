"""The whole agent over a while: memory, files and threads must be flat lines once it is warm.

`python -m benchmarks.soak [MINUTES] [READINGS]`. Real broker, cloud and gateway; twenty devices
publish twenty values each at QoS 1, evenly, so many readings in all: what a gateway hears in days
comes in minutes. In the middle third the cloud is away, so that a backlog grows and drains. Memory
is the kernel's figure of the agent's process, once a second. Its baseline is itself: the median of
the tenth of the time after the warm-up (the first fifth) against that of the last tenth, both of a
minute at least, for pages of files come and go every half; of files and threads, the usual number
in these, for a look may meet one that is open for a moment. Ends with one JSON line, and code 1
when something grew.
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

MINUTES, READINGS, DEVICES, VALUES = 60.0, 50_000_000, 20, 20
GROWTH_MB_MAX = 5.0
DRAIN_S_MAX = 1800.0
LEAST_S = 60.0
LOOK_S = 1.0
PULSE_S = 0.1
MIB = 1 << 20


class Sensors:
    """Publishes on a thread of its own until it is stopped; `sent` counts."""

    def __init__(self, port: int, per_s: float) -> None:
        self.sent = 0
        self._stopped = threading.Event()
        self._per_s = per_s
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="soak-sensors")
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, name="soak-sensors")
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stopped.wait(PULSE_S):
            while self.sent < (time.monotonic() - began) * self._per_s:
                self.sent += 1
                values = (20 + n + (self.sent * (n + 1) % 97) / 10 for n in range(VALUES))
                told = ",".join(f'"c{n}":{value:.1f}' for n, value in enumerate(values))
                self._client.publish(f"soak/d{self.sent % DEVICES}", f"{{{told}}}", qos=1)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._client.loop_stop()
        self._client.disconnect()


@dataclass
class Watch:
    """Resident MiB, those of its own, open files and threads of a process by the second."""

    process: psutil.Process
    seen: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def until(self, at: float) -> None:
        """Look once a second until then."""
        while time.monotonic() < at:
            memory = self.process.memory_info()
            self.seen.append(memory.rss / MIB)
            self.own.append((memory.rss - memory.shared) / MIB)
            self.files.append(self.process.num_fds())
            self.threads.append(self.process.num_threads())
            time.sleep(LOOK_S)


def soaked(stack: Stack, minutes: float, readings: int) -> dict[str, Any]:
    """Run it, and say how memory went; the backlog is drained in the end."""
    stack.prepare()
    stack.start_cloud()
    stack.enroll()
    stack.start_edge()
    assert stack.edge.process is not None
    seconds = minutes * 60
    sensors = Sensors(stack.broker.port, readings / VALUES / seconds)
    watch, began = Watch(psutil.Process(stack.edge.process.pid)), time.monotonic()
    try:
        watch.until(began + seconds / 3)
        stack.cloud.stop()
        watch.until(began + 2 * seconds / 3)
        stack.start_cloud()
        watch.until(began + seconds)
    finally:
        sensors.stop()
    drained = time.monotonic()
    wait_until(
        "the buffer is archived", lambda: stack.edge_status()["buffer"]["rows"] == 0, DRAIN_S_MAX
    )
    status = stack.edge_status()
    looks = len(watch.seen)
    span = max(round(LEAST_S / LOOK_S), looks // 10)
    warm, late = slice(looks // 5, looks // 5 + span), slice(looks - span, looks)

    def grown(seen: list[float]) -> float:
        return round(statistics.median(seen[late]) - statistics.median(seen[warm]), 1)

    return {
        "minutes": minutes,
        "messages": sensors.sent,
        "readings": status["ingest"]["readings"],
        "outage_s": round(seconds / 3),
        "drained_s": round(time.monotonic() - drained, 1),
        "rss_mb_warm": round(statistics.median(watch.seen[warm]), 1),
        "rss_mb_late": round(statistics.median(watch.seen[late]), 1),
        "rss_mb_peak": round(max(watch.seen), 1),
        "growth_mb": grown(watch.seen),
        "growth_of_its_own_mb": grown(watch.own),
        "files": [statistics.mode(watch.files[warm]), statistics.mode(watch.files[late])],
        "threads": [statistics.mode(watch.threads[warm]), statistics.mode(watch.threads[late])],
        "cpu_s": round(status["budget"]["cpu_s"], 1),
        "rss_mb": [round(one, 1) for one in watch.seen[:: max(1, looks // 20)]],
        "own_mb": [round(one, 1) for one in watch.own[:: max(1, looks // 20)]],
    }


def faults(told: dict[str, Any]) -> list[str]:
    """What grew, and what did not arrive."""
    found = []
    if told["growth_mb"] > GROWTH_MB_MAX:
        found.append(f"memory grew by {told['growth_mb']} MB")
    found += [f"{of} grew: {told[of]}" for of in ("files", "threads") if told[of][1] > told[of][0]]
    if told["readings"] != told["messages"] * VALUES:
        found.append(f"{told['messages'] * VALUES} were published, {told['readings']} are kept")
    return found


def main(minutes: float = MINUTES, readings: int = READINGS) -> dict[str, Any]:
    """One soak in a folder of its own."""
    with tempfile.TemporaryDirectory() as place:
        stack = new_stack(Path(place) / "stack", "mosquitto")
        try:
            told = soaked(stack, minutes, readings)
        finally:
            stack.close()
    return told | {"faults": faults(told)}


if __name__ == "__main__":
    words = sys.argv[1:]
    said = main(*(float(word) for word in words[:1]), *(int(word) for word in words[1:2]))
    print(json.dumps(said))
    sys.exit(int(bool(said["faults"])))
