"""Ingest at the speed of the broker: the whole agent beside subscribers that only count.

`python -m benchmarks.ingest [MESSAGES] [ROUNDS] [SECONDS]`. A real mosquitto, publishers that cost
nearly nothing, and in alternating runs: the agent (encryption, one ONNX model, durable commits,
PUBACK after the commit; enrolled, its cloud away, gRPC loaded), bare paho, bare aiomqtt, and
mosquitto_sub to /dev/null. The agent and the broker have a core each. Ends with one JSON line.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks import stages
from benchmarks.alert_watch import AlertWatch
from benchmarks.publisher import READINGS
from deploy.demo.broker import mosquitto_path
from deploy.demo.stack import Stack, new_stack, wait_until
from edge.control import ask
from edge.errors import UnreachableError

MESSAGES, ROUNDS, SECONDS = 200_000, 2, 20
AGENT_CORE, BROKER_CORE, LOAD_CORES = {0}, {1}, {2, 3}
RATES: Final = (200, 1000, 5000)
LOOK_S: Final = 0.2
PATIENCE_S: Final = 120.0
SPIKE_EVERY: Final = 150
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


def counted(port: int, which: str, version: int, count: int) -> dict[str, float]:
    """A bare subscriber over `count` messages at saturation."""
    command = [*MODULE, "benchmarks.count_only", which, str(port), str(version), str(count)]
    with on_cores(AGENT_CORE):
        subscriber = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert subscriber.stdout is not None
    subscriber.stdout.readline()
    with load(port, "count", "small", count) as publisher:
        begin(publisher)
        said, _ = subscriber.communicate(timeout=PATIENCE_S)
    figures: dict[str, float] = json.loads(said)
    return figures


def mosquitto_sub(port: int, version: int, count: int) -> dict[str, float]:
    """Mosquitto's own subscriber, throwing everything away."""
    name = {4: "mqttv311", 5: "mqttv5"}[version]
    command = ["mosquitto_sub", "-p", str(port), "-q", "1", "-V", name, "-t", "count/#"]
    window = ["-D", "connect", "receive-maximum", "8000"] if version == 5 else []
    with on_cores(AGENT_CORE):
        subscriber = subprocess.Popen(
            [*command, *window, "-C", str(count)], stdout=subprocess.DEVNULL
        )
    time.sleep(0.5)
    with load(port, "count", "small", count) as publisher:
        begin(publisher)
        start = time.perf_counter()
        _, _, used = os.wait4(subscriber.pid, 0)
        seconds = time.perf_counter() - start
    cpu = (used.ru_utime + used.ru_stime) * 1e6 / count
    return {"msgs_per_s": count / seconds, "us_per_msg": cpu}


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
                time.sleep(LOOK_S)
                if time.perf_counter() - start > PATIENCE_S:
                    raise RuntimeError(f"{done} of {count} after {PATIENCE_S} s")
            seconds = time.perf_counter() - start
        each = (self.cpu_s - cpu) * 1e6 / count
        return {
            "msgs_per_s": count / seconds,
            "us_per_msg": each,
            "readings_per_cpu_s": READINGS[shape] * 1e6 / each,
            "readings_per_s": READINGS[shape] * count / seconds,
        }

    def at_rate(self, rate: int, seconds: int, spikes: int = 0) -> dict[str, float]:
        """The share of a core at a steady rate, and how soon anomalies were told."""
        port, count = self._stack.broker.port, rate * seconds
        told = load(port, "bench", "small", count, rate, spikes)
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


def better(runs: list[dict[str, float]]) -> dict[str, float]:
    """Of runs at two versions of MQTT, the one with the higher rate."""
    return max(runs, key=lambda run: run["msgs_per_s"])


def one_round(stack: Stack, count: int) -> dict[str, dict[str, float]]:
    """Every subscriber once, in turn."""
    port = stack.broker.port
    agent = Agent(stack)
    ours = agent.saturated("small", count)
    agent.stop()
    fewer = count // 2
    return {
        "agent": ours,
        "mosquitto_sub": better([mosquitto_sub(port, version, count) for version in (4, 5)]),
        "paho": better([counted(port, "paho", version, fewer) for version in (4, 5)]),
        "aiomqtt": better([counted(port, "aiomqtt", version, fewer) for version in (4, 5)]),
    }


def steady(stack: Stack, count: int, seconds: int) -> dict[str, Any]:
    """The agent at rest, at steady rates, and with large objects."""
    agent = Agent(stack)
    time.sleep(8)  # what only the start needed is given back by then
    figures: dict[str, Any] = {"rss_mb_idle": agent.memory_mb("VmRSS")}
    agent.at_rate(1000, 10)  # thresholds warm up
    for rate in RATES:
        told = agent.at_rate(rate, seconds, SPIKE_EVERY if rate == 1000 else 0)
        figures[f"core_share_at_{rate}_per_s"] = told["core_share"]
        if rate == 1000:
            figures |= {name: told[name] for name in told if name.startswith("alert")}
            figures["rss_mb_peak"] = agent.memory_mb()
    zigbee = agent.saturated("zigbee", count // 2)
    figures["zigbee_msgs_per_s"] = zigbee["msgs_per_s"]
    figures["zigbee_us_per_msg"] = zigbee["us_per_msg"]
    array = agent.saturated("array", count // 4)
    figures["array_readings_per_s"] = array["readings_per_s"]
    figures["array_readings_per_cpu_s"] = array["readings_per_cpu_s"]
    figures["rss_mb_peak_arrays"] = agent.memory_mb()
    agent.stop()
    return figures


def main(count: int, rounds: int, seconds: int) -> dict[str, Any]:
    """All runs, and their medians."""
    with tempfile.TemporaryDirectory() as place:
        with on_cores(BROKER_CORE):
            stack = new_stack(Path(place) / "stack", "mosquitto")
            stack.prepare()
        try:
            home = stack.home("edge") / "edge.toml"
            home.write_text(home.read_text() + 'client = "native"\ntopics = ["bench/#"]\n')
            stack.start_cloud()
            stack.enroll()
            stack.cloud.stop()
            runs = [one_round(stack, count) for _ in range(rounds)]
            figures = steady(stack, count, seconds)
        finally:
            stack.close()
    figures["us_per_msg_by_stage"] = stages.measure(count, 20)
    for who in runs[0]:
        prefix = "" if who == "agent" else f"{who}_"
        rate = statistics.median(run[who]["msgs_per_s"] for run in runs)
        figures["saturated_msgs_per_s" if who == "agent" else f"{who}_msgs_per_s"] = rate
        each = statistics.median(run[who]["us_per_msg"] for run in runs)
        figures[f"{prefix}us_per_msg"] = each
    figures["rate_of_mosquitto_sub"] = (
        figures["saturated_msgs_per_s"] / figures["mosquitto_sub_msgs_per_s"]
    )
    figures["cpu_of_paho"] = figures["us_per_msg"] / figures["paho_us_per_msg"]
    return {"messages": count, "rounds": rounds} | _rounded(figures)


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _rounded(value) if isinstance(value, dict) else float(f"{value:.4g}")
        for name, value in figures.items()
    }


if __name__ == "__main__":
    if mosquitto_path() is None:
        sys.exit("this benchmark needs mosquitto: apt-get install -y mosquitto mosquitto-clients")
    asked = [int(word) for word in sys.argv[1:]]
    print(json.dumps(main(*(asked + [MESSAGES, ROUNDS, SECONDS][len(asked) :]))))
