"""Ingest at the speed of the broker: the whole agent beside subscribers that only count.

`python -m benchmarks.ingest [MESSAGES] [ROUNDS] [SECONDS]`. A real mosquitto, publishers that cost
nearly nothing, and in alternating runs: the agent (encryption, one ONNX model, durable commits,
PUBACK after the commit; enrolled, its cloud away, gRPC loaded) with its own MQTT client and with
paho, bare paho, bare aiomqtt, and mosquitto_sub to /dev/null. The agent and the broker have a core
each. Small objects stand without a name of their own in the figures; `zigbee`, `sparkplug` (50
metrics by alias) and `array` (50 numbers) are larger messages. Ends with one JSON line.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks import stages
from benchmarks.agent import (
    AGENT_CORE,
    BROKER_CORE,
    MODULE,
    PATIENCE_S,
    Agent,
    begin,
    load,
    on_cores,
)
from benchmarks.publisher import DEVICES, payloads
from deploy.demo.broker import mosquitto_path
from deploy.demo.stack import Stack, new_stack

MESSAGES, ROUNDS, SECONDS = 200_000, 2, 20
RATES: Final = (200, 1000, 5000)
SHAPES: Final = ("zigbee", "sparkplug", "array")
TOPICS: Final = ["bench/#", "spBv1.0/#"]
WARM_UP: Final = 4_000
START_S: Final = 8
"""What an agent does once, at its start, is over by then: it is no part of what a message costs."""
SPIKE_EVERY: Final = 150


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


def better(runs: list[dict[str, float]]) -> dict[str, float]:
    """Of runs at two versions of MQTT, the one with the higher rate."""
    return max(runs, key=lambda run: run["msgs_per_s"])


def one_round(stack: Stack, count: int) -> dict[str, dict[str, float]]:
    """Every subscriber once, in turn; the agent with either of its MQTT clients."""
    port, fewer = stack.broker.port, count // 2
    ours = saturated(stack, count)
    by_paho = saturated(stack, fewer, 'client = "paho"')
    return {
        "agent": ours,
        "paho_client": by_paho,
        "mosquitto_sub": better([mosquitto_sub(port, version, count) for version in (4, 5)]),
        "paho": better([counted(port, "paho", version, fewer) for version in (4, 5)]),
        "aiomqtt": better([counted(port, "aiomqtt", version, fewer) for version in (4, 5)]),
    }


def configure(stack: Stack, *lines: str) -> None:
    """Settings of the next agent: those of the stack, the topics of the load, and ``lines``."""
    file = stack.home("edge") / "edge.toml"
    kept = file.read_text().partition("topics = ")[0]
    file.write_text("\n".join([kept + f"topics = {json.dumps(TOPICS)}", *lines, ""]))


def saturated(stack: Stack, count: int, *lines: str) -> dict[str, float]:
    """A fresh agent over small objects as fast as they come."""
    configure(stack, *lines)
    agent = Agent(stack)
    time.sleep(START_S)
    figures = agent.saturated("small", count)
    agent.stop()
    return figures


def steady(stack: Stack, count: int, seconds: int) -> dict[str, Any]:
    """The agent at rest, and small objects at steady rates: core, memory, alerts."""
    configure(stack, "[models]", "enabled = false")
    agent = Agent(stack)
    agent.at_rate(1000, seconds)
    figures: dict[str, Any] = {"rss_mb_peak_without_model": agent.memory_mb()}
    agent.stop()
    configure(stack)
    agent = Agent(stack)
    time.sleep(START_S)
    figures["rss_mb_idle"] = agent.memory_mb("VmRSS")
    figures["rss_mb_idle_of_its_own"] = agent.memory_mb("RssAnon")  # the rest is files' pages
    agent.at_rate(1000, 10)  # thresholds warm up
    for rate in RATES:
        told = agent.at_rate(rate, seconds, SPIKE_EVERY if rate == 1000 else 0)
        figures[f"core_share_at_{rate}_per_s"] = told["core_share"]
        if rate == 1000:
            figures |= {name: told[name] for name in told if name.startswith("alert")}
            figures["rss_mb_peak"] = agent.memory_mb()
    agent.stop()
    for shape in SHAPES:
        figures |= of_shape(stack, shape, count, seconds)
    return figures


def of_shape(stack: Stack, shape: str, count: int, seconds: int) -> dict[str, float]:
    """A fresh agent over larger messages: at saturation with every window full, and at rates."""
    agent = Agent(stack)
    time.sleep(START_S)
    agent.saturated(shape, WARM_UP)
    told = agent.saturated(shape, count // 2)
    figures = {f"{shape}_{name}": value for name, value in told.items()}
    figures[f"rss_mb_peak_{shape}"] = agent.memory_mb()
    for rate in RATES:
        told = agent.at_rate(rate, max(2, seconds // 2), shape=shape)
        figures[f"{shape}_core_share_at_{rate}_per_s"] = told["core_share"]
    agent.stop()
    return figures


def main(count: int, rounds: int, seconds: int) -> dict[str, Any]:
    """All runs, and their medians."""
    with tempfile.TemporaryDirectory() as place:
        with on_cores(BROKER_CORE):
            stack = new_stack(Path(place) / "stack", "mosquitto")
            stack.prepare()
        try:
            stack.start_cloud()
            configure(stack)
            stack.enroll()
            stack.cloud.stop()
            runs = [one_round(stack, count) for _ in range(rounds)]
            figures = steady(stack, count, seconds)
        finally:
            stack.close()
    figures["us_per_msg_by_stage"] = stages.measure(count, DEVICES)
    arrays = payloads("array", count // 10)
    figures["array_us_per_msg_by_stage"] = stages.measure(count // 10, DEVICES, arrays)
    for who in runs[0]:
        prefix, rate = ("", "saturated_msgs_per_s") if who == "agent" else (f"{who}_", "msgs_per_s")
        for name, key in ((f"{prefix}{rate}", "msgs_per_s"), (f"{prefix}us_per_msg", "us_per_msg")):
            figures[name] = statistics.median(run[who][key] for run in runs)
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
