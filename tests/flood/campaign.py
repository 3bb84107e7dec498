"""Garbage at full speed on one topic, and on another a sensor whose readings must not wait for it.

The broker is a mosquitto as it comes: it queues 1,000 messages for a session beyond those in flight
and then drops, of whichever topic, and says how many. So the law is about what it delivers: a
sensor's message counts from its PUBLISH until the agent has committed it.
"""

import json
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.stack import BIN, Half, run
from edge.control import ask
from edge.errors import UnreachableError
from tests.edge.mosquitto import Mosquitto, until
from tests.flood.garbage import KINDS

DELAY_S_MAX = 2.0
RATE_PER_S = 20
RSS_MB_GROWTH_MAX = 64
"""A full inbox and what a commit holds of it, 16 MiB each, twice while they are copied."""
REJECTS_MAX = 1000
"""`buffer.rejects_max` as it comes."""
SENSOR = "timed/sensor"
LOOK_S = 0.02
DROPPED, UPTIME = "$SYS/broker/publish/messages/dropped", "$SYS/broker/uptime"


@dataclass
class Told:
    """What one flood did; delays in seconds, memory in MB."""

    kind: str
    qos: int
    published: int = 0
    kept: list[int] = field(default_factory=list)
    doubled: int = 0
    delays_s: list[float] = field(default_factory=list)
    garbage_written: int = 0
    rejected: int = 0
    shed: int = 0
    rejects_kept: int = 0
    dropped_by_broker: int = 0
    waiting_max: int = 0
    rss_mb_idle: float = 0.0
    rss_mb_peak: float = 0.0
    cpu_us_per_garbage: float = 0.0

    def line(self) -> dict[str, Any]:
        """Its share of the one JSON line."""
        at = sorted(self.delays_s) or [0.0]
        return {
            "kind": self.kind, "qos": self.qos, "published": self.published,
            "kept": len(self.kept), "garbage_written": self.garbage_written,
            "rejected": self.rejected, "shed": self.shed,
            "dropped_by_broker": self.dropped_by_broker,
            "delay_s_p50": round(at[len(at) // 2], 3), "delay_s_max": round(at[-1], 3),
            "waiting_max": self.waiting_max, "rss_mb_idle": round(self.rss_mb_idle, 1),
            "rss_mb_peak": round(self.rss_mb_peak, 1),
            "cpu_us_per_garbage": round(self.cpu_us_per_garbage, 1),
        }  # fmt: skip

    def faults(self) -> list[str]:
        """What is not as promised, but for time, which is the campaign's alone."""
        found = []
        if self.doubled:
            found.append(f"{self.doubled} readings were kept twice")
        if self.published - len(self.kept) > self.dropped_by_broker:
            lost = self.published - len(self.kept)
            found.append(f"{lost} lost, the broker dropped {self.dropped_by_broker}")
        told = len(self.kept) + self.rejected + self.shed + self.dropped_by_broker
        if told != self.published + self.garbage_written:
            sent = self.published + self.garbage_written
            found.append(f"of {sent} messages {told} are accounted for")
        if self.shed and self.qos:
            found.append(f"{self.shed} messages that were acknowledged were left out")
        if not 0 < self.rejects_kept <= REJECTS_MAX:
            found.append(f"{self.rejects_kept} rejects are kept")
        if self.rss_mb_peak > self.rss_mb_idle + RSS_MB_GROWTH_MAX:
            found.append(f"{self.rss_mb_peak:.0f} MB, idle {self.rss_mb_idle:.0f} MB")
        return found


class Flood:
    """A broker and an agent in ``folder``, flooded once."""

    def __init__(self, folder: Path, kind: str, qos: int, seconds: float) -> None:
        self.told = Told(kind, qos)
        self._seconds = seconds
        self._home = folder / "edge"
        self._broker = Mosquitto(folder)
        self._broker.more = "max_queued_messages 1000\nsys_interval 1\nlog_type error"
        self._edge = Half(
            [str(BIN / "tidegate-edge"), "--home", str(self._home), "run"], folder / "edge.log"
        )
        self._looks: list[tuple[float, int]] = []
        self._sent_s: dict[int, float] = {}
        self._over = threading.Event()
        self._beats = 0

    def run(self) -> Told:
        """Flood, wait until nothing waits any more, and count."""
        self._broker.start()
        try:
            self._start_agent()
            self._flood()
        finally:
            self._over.set()
            self._edge.kill()
            self._broker.stop()
        return self.told

    def _start_agent(self) -> None:
        url = f"mqtt://127.0.0.1:{self._broker.port}"
        self._tidegate("init", "--name", "flooded", "--broker", url)
        self._edge.start()
        until(lambda: self._status().get("broker", {}).get("connected"), self._edge.tail())

    def _flood(self) -> None:
        assert self._edge.process is not None
        process, told = psutil.Process(self._edge.process.pid), self.told
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_message = self._heard_of_drops
        client.connect("127.0.0.1", self._broker.port)
        client.loop_start()
        client.subscribe([(DROPPED, 0), (UPTIME, 0)])
        client.publish(SENSOR, b'{"n":-1}', 1).wait_for_publish(20)
        until(lambda: self._status()["ingest"]["readings"] == 1, "the sensor was not heard")
        told.rss_mb_idle = process.memory_info().rss / 1e6
        before_s = sum(process.cpu_times()[:2])
        threading.Thread(target=self._look, args=(process,), daemon=True).start()
        words = [str(self._broker.port), "noise/a", told.kind, str(told.qos), str(self._seconds)]
        garbage = subprocess.Popen(
            [sys.executable, "-m", "tests.flood.garbage", *words], stdout=subprocess.PIPE, text=True
        )
        self._publish(client, garbage)
        told.garbage_written = int(garbage.communicate(timeout=120)[0])
        until(self._is_quiet, "it does not come to rest", 120)
        used_s = sum(process.cpu_times()[:2]) - before_s
        status = self._status()
        told.rejected, told.shed = status["ingest"]["rejected"], status["ingest"]["shed"]
        told.rejects_kept = status["buffer"]["rejects"]
        told.cpu_us_per_garbage = used_s * 1e6 / max(told.rejected + told.shed, 1)
        beats = self._beats
        until(lambda: self._beats > beats + 2, "the broker tells nothing of itself")
        client.loop_stop()
        self._over.set()
        assert self._edge.stop() == 0
        self._count()

    def _publish(self, client: paho.Client, garbage: "subprocess.Popen[str]") -> None:
        """The sensor: a number every 50 ms for as long as the flood lasts."""
        next_s = time.monotonic()
        while garbage.poll() is None:
            number = self.told.published
            self._sent_s[number] = time.monotonic()
            client.publish(SENSOR, b'{"n":%d}' % number, 1)
            self.told.published += 1
            next_s += 1 / RATE_PER_S
            self._over.wait(max(0.0, next_s - time.monotonic()))

    def _look(self, process: psutil.Process) -> None:
        while not self._over.wait(LOOK_S):
            try:
                ingest = self._status()["ingest"]
                rss_mb = process.memory_info().rss / 1e6
            except (KeyError, psutil.Error):
                continue
            self._looks.append((time.monotonic(), ingest["readings"]))
            self.told.waiting_max = max(self.told.waiting_max, ingest["waiting"])
            self.told.rss_mb_peak = max(self.told.rss_mb_peak, rss_mb)

    def _is_quiet(self) -> bool:
        """Whether for a second nothing new was heard, and nothing waits."""
        before = self._status()["ingest"]
        time.sleep(1.0)
        after = self._status()["ingest"]
        names = ("accepted", "rejected")
        return not after["waiting"] and all(after[name] == before[name] for name in names)

    def _count(self) -> None:
        numbers = []
        for line in self._tidegate("buffer", "export", "-", "--format", "jsonl").splitlines():
            row = json.loads(line)
            if row["metric"] == "n" and row["value"] >= 0:
                numbers.append(int(row["value"]))
        self.told.kept = sorted(set(numbers))
        self.told.doubled = len(numbers) - len(self.told.kept)
        counts = [readings for _, readings in self._looks]
        for place, number in enumerate(self.told.kept):
            at = bisect_left(counts, place + 2)  # the first of all was not timed
            if at < len(self._looks):
                self.told.delays_s.append(self._looks[at][0] - self._sent_s[number])

    def _heard_of_drops(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        """Mosquitto tells of itself once a second."""
        if message.topic == DROPPED:
            self.told.dropped_by_broker = int(message.payload)
        self._beats += message.topic == UPTIME

    def _status(self) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads(ask(self._home / "run" / "control.sock", "status"))
        except UnreachableError:
            return {}
        return said

    def _tidegate(self, *words: str) -> str:
        return run("tidegate-edge", "--home", str(self._home), *words)


def campaign(folder: Path, seconds: float) -> list[Told]:
    """Every kind of garbage, without acknowledgements and with."""
    told = []
    for kind in KINDS:
        for qos in (0, 1):
            here = folder / f"{kind}-{qos}"
            here.mkdir()
            told.append(Flood(here, kind, qos, seconds).run())
    return told
