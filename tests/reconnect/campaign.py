"""A cloud that dies with a thousand gateways on the line, and comes back to a backlog from each.

The cloud is the real process over real mutual TLS; the gateways are the product's uplink and
session with buffers in memory, some hundreds in each of two processes.
"""

import json
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from cloud.config import load
from cloud.ingest.identity import Authority
from cloud.ingest.service import IngestLimits
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.consolidator import ROWS_AT_ONCE
from cloud.live.live import TAIL_BYTES_MAX
from cloud.settings import Lake as CloudLake
from deploy.demo.broker import free_port, wait_for_port
from deploy.demo.stack import BIN, Half, run
from protos.limits import MIB
from tests.reconnect.light_buffer import CHUNK_BYTES
from tests.reconnect.memory import resident_bytes
from tests.reconnect.papers import enrol_all

PROCESSES: Final = 2
AGE_S_MAX: Final = 10.0
CONNECT_S_MAX: Final = 300.0
DRAIN_S_MAX: Final = 1500.0
BYTES_A_ROW: Final = 300
"""Of a consolidation: some 60 in columns, and there they are as decoded, arranged, encoded and
reduced."""
CONNECTION_BYTES: Final = 256 << 10


class StuckError(Exception):
    """Something did not come about in time."""


@dataclass
class Fleet:
    """A process of gateways, and what it said last."""

    process: "subprocess.Popen[bytes]"
    said: dict[str, Any] = field(default_factory=dict)

    def listen(self) -> None:
        """Read what it says, in a thread, until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said = json.loads(line)

    def order(self, word: str) -> None:
        """Say a word to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()


class Reconnect:
    """One run; `run` gives the figures, ``faults`` what is not as promised."""

    def __init__(
        self, folder: Path, gateways: int, backlog_bytes: int, say: Callable[[str], None]
    ) -> None:
        self.folder, self.gateways, self.say = folder, gateways, say
        self.chunks = max(1, backlog_bytes // CHUNK_BYTES)
        self.faults: list[str] = []
        self.fleets: list[Fleet] = []
        self.ports = [free_port() for _ in range(3)]
        self.home = folder / "cloud"
        command = [str(BIN / "tidegate-cloud"), "--home", str(self.home), "serve"]
        self.cloud = Half(command, folder / "cloud.log")
        self.rss_max = 0
        self._shown_s = 0.0

    def run(self) -> dict[str, Any]:
        """All of it; the figures."""
        began_s = time.monotonic()
        self._prepare()
        self._start_cloud()
        idle = resident_bytes(self._pid)
        self._start_fleets()
        self._await("all are connected", lambda: self._sum("live") == self.gateways, CONNECT_S_MAX)
        self.say(f"{self.gateways} gateways are connected; the cloud is killed")
        self.cloud.kill()
        self._await("all have noticed", lambda: self._sum("live") == 0, CONNECT_S_MAX)
        self._order(f"heap {self.chunks}")
        attempts = self._sum("attempts")
        self._order("count")
        self._start_cloud()
        back_s = self._measure(lambda: self._sum("live") == self.gateways, CONNECT_S_MAX)
        attempts = self._sum("attempts") - attempts
        self.say(f"all are back after {back_s:.1f} s, in {attempts} attempts")
        drained_s = back_s + self._measure(lambda: self._sum("backlog") == 0, DRAIN_S_MAX)
        self.say(f"all backlogs are sent after {drained_s:.1f} s")
        self._order("stop")
        self._measure(lambda: self._sum("drained") == self.gateways, DRAIN_S_MAX)
        archived_s = time.monotonic() - self._restarted_s
        ages = np.array([age for fleet in self.fleets for age in fleet.said["ages"]])
        rows = self._sum("rows")
        lag_s = max(fleet.said["lag_s"] for fleet in self.fleets)
        self._end_fleets()
        self.cloud.stop()
        in_lake = self._verified()
        told = {
            "gateways": self.gateways,
            "backlog_mb": round(self.gateways * self.chunks * CHUNK_BYTES / MIB),
            "readings": rows,
            "lost": max(0, rows - in_lake),
            "doubled": max(0, in_lake - rows),
            "back_s": round(back_s, 1),
            "attempts": attempts,
            "drained_s": round(drained_s, 1),
            "archived_s": round(archived_s, 1),
            "live_chunks": len(ages),
            **{f"live_age_s_{name}": round(float(np.quantile(ages, share)), 3)
               for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
            "client_lag_s": round(lag_s, 3),
            "rss_mb_idle": round(idle / MIB),
            "rss_mb_peak": round(self.rss_max / MIB),
            "rss_mb_bound": round((idle + bound_bytes(self.gateways)) / MIB),
            "seconds": round(time.monotonic() - began_s),
        }  # fmt: skip
        self._judge(told)
        return told

    def _judge(self, told: dict[str, Any]) -> None:
        if told["lost"] or told["doubled"]:
            self.faults.append("history does not hold what was sent, once")
        if told["live_age_s_max"] >= AGE_S_MAX:
            self.faults.append(f"a live reading was {told['live_age_s_max']} s old when stored")
        if told["rss_mb_peak"] > told["rss_mb_bound"]:
            self.faults.append("the cloud took more memory than its bounds add up to")

    @property
    def _pid(self) -> int:
        assert self.cloud.process is not None
        return self.cloud.process.pid

    def _prepare(self) -> None:
        run("tidegate-cloud", "--home", str(self.home), "init")
        sync, enrol, http = (f"127.0.0.1:{port}" for port in self.ports)
        (self.home / "cloud.toml").write_text(
            f'[listen]\nsync = "{sync}"\nenrol = "{enrol}"\nhttp = "{http}"\n'
        )
        config = load(self.home)
        authority = Authority.load(config.authority_folder)
        names = [f"gateway-{number:04}" for number in range(self.gateways)]
        papers = enrol_all(config, authority, names)
        endpoint = {"address": sync, "cloud_name": "localhost", "ca_pem": authority.pem}
        for part in range(PROCESSES):
            mine = papers[part::PROCESSES]
            told = pickle.dumps((endpoint, mine, part * self.gateways))
            (self.folder / f"fleet-{part}").write_bytes(told)

    def _start_cloud(self) -> None:
        self.cloud.start()
        assert self.cloud.process is not None
        wait_for_port(self.ports[0], self.cloud.process, 120)
        wait_for_port(self.ports[2], self.cloud.process, 120)
        self._restarted_s = time.monotonic()

    def _start_fleets(self) -> None:
        for part in range(PROCESSES):
            command = [
                sys.executable,
                "-m",
                "tests.reconnect.fleet",
                str(self.folder / f"fleet-{part}"),
            ]
            fleet = Fleet(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            threading.Thread(target=fleet.listen, daemon=True).start()
            self.fleets.append(fleet)

    def _order(self, word: str) -> None:
        for fleet in self.fleets:
            fleet.order(word)
        time.sleep(2.5)  # until each has told how it stands since

    def _sum(self, name: str) -> int:
        if not all(fleet.said for fleet in self.fleets):
            return -1
        return sum(fleet.said[name] for fleet in self.fleets)

    def _await(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise StuckError(f"waited {seconds:.0f} s in vain until {what}: {self._standing()}")
            if any(fleet.process.poll() is not None for fleet in self.fleets):
                raise StuckError("a fleet ended by itself")
            if self.cloud.process is not None and self.cloud.process.poll() is None:
                self.rss_max = max(self.rss_max, resident_bytes(self._pid))
            if time.monotonic() - self._shown_s > 10:
                self._shown_s = time.monotonic()
                self.say(self._standing())
            time.sleep(0.2)

    def _measure(self, condition: Callable[[], bool], seconds: float) -> float:
        began_s = time.monotonic()
        self._await("that came about", condition, seconds)
        return time.monotonic() - began_s

    def _standing(self) -> str:
        oldest = max((fleet.said.get("waiting_s", 0.0) for fleet in self.fleets), default=0.0)
        return (
            f"{self._sum('live')} live, {self._sum('backlog')} chunks wait, the oldest live one "
            f"{oldest:.1f} s, the cloud takes {self.rss_max / MIB:.0f} MB"
        )

    def _end_fleets(self) -> None:
        for fleet in self.fleets:
            fleet.order("end")
            fleet.process.wait(60)

    def _verified(self) -> int:
        """Readings in the lake, as `verify` counts them; it blames what is not whole."""
        told = run("tidegate-cloud", "--home", str(self.home), "verify", seconds=1200)
        self.say(told.strip().splitlines()[-1])
        found = re.search(r"history is whole: ([\d,]+) readings", told)
        if found is None:
            self.faults.append(told)
            return 0
        return int(found[1].replace(",", ""))

    def close(self) -> None:
        """End what still runs."""
        for fleet in self.fleets:
            if fleet.process.poll() is None:
                fleet.process.kill()
        if self.cloud.process is not None and self.cloud.process.poll() is None:
            self.cloud.kill()


def bound_bytes(gateways: int) -> int:
    """What the cloud may take beyond what it takes idle, as its bounds add up.

    Blocks that wait and the journal's queue; the tail, which is there twice while a reader still
    looks into an older one; the rows of one consolidation; and what gRPC holds of a connection.
    """
    rows = CloudLake().batch_bytes + ROWS_AT_ONCE * BYTES_A_ROW
    queues = IngestLimits().waiting_bytes_max + JournalLimits().queue_bytes_max
    return queues + 2 * TAIL_BYTES_MAX + rows + gateways * CONNECTION_BYTES
