"""What a message costs on its way through the edge, beside a bare paho subscriber in the same run.

`python -m benchmarks.journey [MESSAGES] [ROUNDS]`. A real mosquitto holds QoS 1 messages for a
session that is away; then the whole agent (encryption, one ONNX model, durable commits, PUBACK
after the commit) and the baseline take them in turn. Bytes on the wire are the blocks of the sync
session to a real cloud. Ends with one JSON line.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import stages
from benchmarks.load import READINGS_EACH, bytes_on_disk, fill, hold_session
from deploy.demo.broker import mosquitto_path
from deploy.demo.stack import Stack, new_stack, wait_until
from edge.control import ask
from edge.errors import UnreachableError

MESSAGES, ROUNDS, DEVICES = 40_000, 3, 4
LOOK_S = 0.05
DEADLINE_S = 300.0


def baseline(stack: Stack, count: int) -> dict[str, float]:
    """The bare subscriber over the same load."""
    hold_session(stack.broker, "bare")
    fill(stack.broker, count, DEVICES)
    command = [sys.executable, "-m", "benchmarks.bare_paho", str(stack.broker.port), "bare"]
    said = subprocess.run([*command, str(count)], capture_output=True, check=True, timeout=600)
    figures: dict[str, float] = json.loads(said.stdout)
    return figures


def agent(stack: Stack, count: int) -> dict[str, float]:
    """The whole agent over the same load, from its first to its last commit."""
    hold_session(stack.broker, f"tidegate-{stack.gateway}")
    fill(stack.broker, count, DEVICES)
    stack.edge.start()
    assert stack.edge.process is not None
    process = psutil.Process(stack.edge.process.pid)
    looks = [_look(stack, process)]
    while looks[-1].messages < looks[0].messages + count:
        time.sleep(LOOK_S)
        looks.append(_look(stack, process))
        if looks[-1].at - looks[0].at > DEADLINE_S:
            raise RuntimeError(f"after {DEADLINE_S} s the agent committed {looks[-1]} of {count}")
    first = next(one for one in looks if one.messages > looks[0].messages)
    last = looks[-1]
    if last.messages == first.messages:
        raise RuntimeError("all was committed between two looks: ask for more messages")
    heard = last.messages - first.messages
    figures = {
        "msgs_per_s": heard / (last.at - first.at),
        "us_per_msg": (last.cpu - first.cpu) * 1e6 / heard,
        "rss_mb_peak": _peak_mb(process.pid),
    }
    wait_until("the buffer is archived", lambda: _rows(stack) == 0, 120)
    figures["wire_bytes"] = stack.edge_status()["cloud"]["bytes_sent"]
    stack.edge.stop()
    return figures


@dataclass(frozen=True, slots=True)
class Look:
    """The agent at one moment: when, CPU seconds so far, messages committed so far."""

    at: float
    cpu: float
    messages: int


def _look(stack: Stack, process: psutil.Process) -> Look:
    """Ask the agent over its own socket: no process is started for it, and it costs under 1 ms."""
    socket = stack.home("edge") / "run" / "control.sock"
    deadline = time.perf_counter() + 30
    while True:
        try:
            ingest = json.loads(ask(socket, "status"))["ingest"]
        except UnreachableError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(LOOK_S)
            continue
        cpu = process.cpu_times()
        classes = ("accepted", "rejected", "ignored", "collapsed")
        messages = sum(int(ingest[name]) for name in classes)
        return Look(time.perf_counter(), cpu.user + cpu.system, messages)


def _rows(stack: Stack) -> int:
    return int(stack.edge_status()["buffer"]["rows"])


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel tells no peak memory")


def disk_bytes_per_reading(count: int) -> float:
    """Bytes in the encrypted buffer per reading, at commits of 256 messages, offline."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        stages.fill_store(folder, count, DEVICES)
        return bytes_on_disk(folder) / (count * READINGS_EACH)


def main(count: int, rounds: int) -> dict[str, Any]:
    """Run both in turn and put the figures together; medians over the rounds."""
    with tempfile.TemporaryDirectory() as place:
        stack = new_stack(Path(place) / "stack", "mosquitto")
        try:
            stack.prepare()
            stack.start_cloud()
            stack.enroll()
            runs = [(baseline(stack, count), agent(stack, count)) for _ in range(rounds)]
        finally:
            stack.close()
    bare, ours = (
        {name: statistics.median(run[who][name] for run in runs) for name in runs[0][who]}
        for who in (0, 1)
    )
    return {
        "messages": count,
        "rounds": rounds,
        "msgs_per_s": round(ours["msgs_per_s"]),
        "readings_per_s": round(ours["msgs_per_s"] * READINGS_EACH),
        "us_per_msg": round(ours["us_per_msg"], 1),
        "us_per_msg_by_stage": {k: round(v, 2) for k, v in stages.measure(count, DEVICES).items()},
        "rss_mb_peak": round(ours["rss_mb_peak"], 1),
        "wire_bytes_per_reading": round(ours["wire_bytes"] / count / READINGS_EACH, 2),
        "disk_bytes_per_reading": round(disk_bytes_per_reading(count), 2),
        "paho_msgs_per_s": round(bare["msgs_per_s"]),
        "paho_us_per_msg": round(bare["us_per_msg"], 1),
        "rate_ratio": round(ours["msgs_per_s"] / bare["msgs_per_s"], 2),
        "cpu_ratio": round(ours["us_per_msg"] / bare["us_per_msg"], 2),
    }


if __name__ == "__main__":
    if mosquitto_path() is None:
        sys.exit("this benchmark needs mosquitto: apt-get install -y mosquitto mosquitto-clients")
    asked = [int(word) for word in sys.argv[1:]]
    messages, rounds = asked + [MESSAGES, ROUNDS][len(asked) :]
    if messages % DEVICES:
        sys.exit(f"{messages} messages cannot be spread evenly over {DEVICES} devices")
    print(json.dumps(main(messages, rounds)))
