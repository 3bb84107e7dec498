"""The agent under test on a core of its own, and the publisher that loads it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.alert_watch import AlertWatch
from benchmarks.publisher import READINGS
from deploy.demo.stack import Stack, wait_until
from edge.control import ask
from edge.errors import UnreachableError

AGENT_CORE, BROKER_CORE, LOAD_CORES = {0}, {1}, {2, 3}
LOOK_MIN_S, LOOK_MAX_S = 0.02, 0.5
"""Between two looks at how far an agent is: each costs it some ms, and the last one counts."""
PATIENCE_S: Final = 120.0
MODULE: Final = [sys.executable, "-m"]


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Whatever is started inside runs on these cores alone, where there are so many."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, (cores & before) or before)
    yield
    os.sched_setaffinity(0, before)


@contextmanager
def load(
    port: int, prefix: str, shape: str, count: int, rate: int = 0, spikes: int = 0
) -> Iterator[Any]:
    """A publisher that is connected; it begins with a line on its stdin."""
    words = [str(port), prefix, shape, str(count), str(rate), str(spikes)]
    with on_cores(LOAD_CORES):
        publisher = subprocess.Popen(
            [*MODULE, "benchmarks.publisher", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    assert publisher.stdout is not None
    publisher.stdout.readline()
    try:
        yield publisher
    finally:
        publisher.communicate("\n\n", timeout=PATIENCE_S)


def begin(publisher: Any) -> None:
    """Let it publish."""
    publisher.stdin.write("\n")
    publisher.stdin.flush()


class Agent:
    """The agent under test, started on its core."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        with on_cores(AGENT_CORE):
            stack.edge.start()
        wait_until("the gateway hears its broker", lambda: bool(self._broker().get("connected")))
        assert stack.edge.process is not None
        self._process = psutil.Process(stack.edge.process.pid)

    def _status(self) -> dict[str, Any]:
        try:
            told = ask(self._stack.home("edge") / "run" / "control.sock", "status")
        except UnreachableError:
            return {}
        status: dict[str, Any] = json.loads(told)
        return status

    def _broker(self) -> dict[str, Any]:
        return dict(self._status().get("broker", {}))

    @property
    def accepted(self) -> int:
        """Messages committed and acknowledged since the buffer was made."""
        return int(self._status().get("ingest", {}).get("accepted", 0))

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far, of all threads."""
        used = self._process.cpu_times()
        return float(used.user + used.system)

    def memory_mb(self, field: str = "VmHWM") -> float:
        """Peak (VmHWM) or present (VmRSS) resident memory."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the kernel tells no memory")

    def saturated(self, shape: str, count: int) -> dict[str, float]:
        """Take `count` messages as fast as they come, to the last durable commit."""
        port, before = self._stack.broker.port, self.accepted
        with load(port, "bench", shape, count) as publisher:
            cpu = self.cpu_s
            begin(publisher)
            start = time.perf_counter()
            while (done := self.accepted - before) < count:
                passed = time.perf_counter() - start
                if passed > PATIENCE_S:
                    raise RuntimeError(f"{done} of {count} after {PATIENCE_S} s")
                left_s = passed * (count - done) / max(done, 1)
                time.sleep(min(max(0.9 * left_s, LOOK_MIN_S), LOOK_MAX_S))
            seconds = time.perf_counter() - start
        each = (self.cpu_s - cpu) * 1e6 / count
        return {
            "msgs_per_s": count / seconds,
            "us_per_msg": each,
            "readings_per_cpu_s": READINGS[shape] * 1e6 / each,
            "readings_per_s": READINGS[shape] * count / seconds,
        }

    def at_rate(
        self, rate: int, seconds: int, spikes: int = 0, shape: str = "small"
    ) -> dict[str, float]:
        """The share of a core at a steady rate, and how soon anomalies were told."""
        port, count = self._stack.broker.port, rate * seconds
        told = load(port, "bench", shape, count, rate, spikes)
        with AlertWatch(port) as watch, told as publisher:
            cpu, start = self.cpu_s, time.perf_counter()
            begin(publisher)
            watch.follow(publisher)
            wall = time.perf_counter() - start
            share = (self.cpu_s - cpu) / wall
            time.sleep(0.5)
        return {"core_share": share} | watch.figures()

    def stop(self) -> None:
        """End it."""
        self._stack.edge.stop()
