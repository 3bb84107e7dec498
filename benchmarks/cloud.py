"""The whole cloud under a thousand gateways, on all cores but one, which the simulator has.

`python -m benchmarks.cloud [--gateways 1000] [--rows 800] [--seconds 120] …`. Real
`tidegate-cloud serve`, mutual TLS, a block a second from each gateway (`benchmarks.cloud_fleet`),
twenty readers and one who waits for what is new (`benchmarks.cloud_readers`). After a warm-up come
the measured seconds, then half as many under twice the load, then the gateways stop, all is
archived, every day sorted, and the cloud's own `verify` counts: lost and doubled are its count
against what was sent.

Its baseline is the same cloud with all roles in the process that takes blocks in
(`--beside`), first and for half as long; ratios of that run to this are under `together`. Memory is
proportional (PSS), summed over the cloud's processes. Ends with one JSON line; progress and what
the figures rest on go to stderr.
"""

import argparse
import json
import os
import pickle
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from cloud.config import load
from cloud.ingest.identity import Authority
from cloud.lake.sort_plan import runs_of
from cloud.lake.table.files import DataFile
from cloud.lake.table.schema import READINGS
from cloud.lake.table.state import look
from deploy.demo.broker import free_port, wait_for_port
from deploy.demo.stack import BIN, Half, run
from tests.reconnect.papers import enrol_all

MIB: Final = 1 << 20
CONNECT_S_MAX: Final = 300.0
DRAIN_S_MAX: Final = 900.0
SORT_AFTER_S: Final = 30.0
"""A day into which nothing came for so long is sorted; ten minutes, as is the default, tell no
more."""
WARM_UP_SHARE: Final = 0.25
LOOK_S: Final = 1.0
READERS: Final = 20


@dataclass
class Child:
    """A process of the simulator, and what it said last."""

    process: "subprocess.Popen[bytes]"
    said: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(cls, module: str, *arguments: str) -> "Child":
        """Start it; a thread listens to it until it ends."""
        command = [sys.executable, "-m", module, *arguments]
        child = cls(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        threading.Thread(target=child._listen, daemon=True).start()
        return child

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said = json.loads(line)

    def order(self, words: str) -> None:
        """Say a line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(words.encode() + b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.order("end")
            self.process.wait(60)


@dataclass
class Watch:
    """The cloud's processes, looked at once a second."""

    pid: int
    pss_mb: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Note their proportional memory."""
        found = (self._of(one, lambda p: p.memory_full_info().pss) for one in self._family())
        self.pss_mb.append(sum(found) / MIB)

    def cpu_s(self) -> float:
        """CPU seconds that those which live have taken."""
        return sum(self._of(one, lambda p: sum(p.cpu_times()[:2])) for one in self._family())

    def _family(self) -> list[psutil.Process]:
        cloud = psutil.Process(self.pid)
        return [cloud, *cloud.children(recursive=True)]

    @staticmethod
    def _of(process: psutil.Process, figure: Callable[[psutil.Process], float]) -> float:
        try:
            return float(figure(process))
        except psutil.NoSuchProcess:
            return 0.0


class Bench:
    """One cloud, its gateways and its readers; `close` ends what still runs."""

    def __init__(self, folder: Path, asked: argparse.Namespace, placement: str) -> None:
        self.asked, self.placement = asked, placement
        is_apart = placement == "apart"
        self.ingest = asked.ingest if is_apart else "together"
        self.readers = str(asked.readers) if is_apart and asked.readers else '"together"'
        self.folder, self.home = folder, folder / "cloud"
        self.cores = sorted(os.sched_getaffinity(0))
        self.ports = [free_port() for _ in range(3)]
        serve = [str(BIN / "tidegate-cloud"), "--home", str(self.home), "serve"]
        self.cloud = Half(serve, folder / "cloud.log")
        self.children: list[Child] = []

    @property
    def aggregator_cores(self) -> list[int]:
        """All but one, if there are two."""
        return self.cores[:-1] or self.cores

    def open(self) -> None:
        """Start the cloud on its cores, gateways and readers on the last one."""
        run("tidegate-cloud", "--home", str(self.home), "init")
        sync, enrol, http = (f"127.0.0.1:{port}" for port in self.ports)
        (self.home / "cloud.toml").write_text(
            f'[listen]\nsync = "{sync}"\nenrol = "{enrol}"\nhttp = "{http}"\n'
            f'[roles]\ningest = "{self.ingest}"\nconsolidation = "{self.placement}"\n'
            f"readers = {self.readers}\n[lake]\nsort_after_s = {SORT_AFTER_S}\n"
        )
        config = load(self.home)
        authority = Authority.load(config.authority_folder)
        names = [f"gateway-{number:04}" for number in range(self.asked.gateways)]
        papers = enrol_all(config, authority, names)
        endpoint = {"address": sync, "cloud_name": "localhost", "ca_pem": authority.pem}
        told = pickle.dumps((endpoint, papers, 0, self.asked.rows))
        (self.folder / "fleet").write_bytes(told)
        os.sched_setaffinity(0, self.aggregator_cores)
        self.cloud.start()
        os.sched_setaffinity(0, self.cores[-1:])
        assert self.cloud.process is not None
        for port in (self.ports[0], self.ports[2]):
            wait_for_port(port, self.cloud.process, 120)
        self.watch = Watch(self.cloud.process.pid)
        self.fleet = Child.start("benchmarks.cloud_fleet", str(self.folder / "fleet"))
        self.children.append(self.fleet)
        self._until("all are connected", lambda: self._said("live"), CONNECT_S_MAX)

    def measure(self, seconds: float) -> dict[str, Any]:
        """Warm-up, measured seconds, twice the load, and the count at the end."""
        self._phase(1.0, max(3.0, seconds * WARM_UP_SHARE))
        self.readers = Child.start("benchmarks.cloud_readers", str(self.ports[2]), str(READERS))
        self.children.append(self.readers)
        self._until("readers read", lambda: bool(self.readers.said.get("answers")), 60)
        steady = self._phase(1.0, seconds)
        twice = self._phase(2.0, seconds / 2)
        self.children.pop().end()
        self._order(0.0)
        self._until("all is archived", lambda: self._said("drained"), DRAIN_S_MAX)
        self._until("all is sorted", self._is_sorted, DRAIN_S_MAX)
        self.cloud.stop()
        self.fleet.end()
        found = self._verified()
        rows = self.fleet.said["readings"]
        return {
            **steady,
            "cores": len(self.aggregator_cores),
            "gateways": self.asked.gateways,
            "readings": rows,
            "lost": max(0, rows - found),
            "doubled": max(0, found - rows),
            "is_sorted": self._is_sorted(),
            "files_of_readings": len(self._files()),
            "pss_mb_max": max(steady["pss_mb_max"], twice["pss_mb_max"]),
            "twice": twice,
        }

    def _phase(self, rate: float, seconds: float) -> dict[str, Any]:
        self._order(rate)
        if len(self.children) > 1:
            self.readers.order("count")
        self.watch.pss_mb.clear()
        begun_s, cpu_s = time.monotonic(), self.watch.cpu_s()
        while time.monotonic() < begun_s + seconds:
            self.watch.look()
            time.sleep(LOOK_S)
        took_s, cpu_s = time.monotonic() - begun_s, self.watch.cpu_s() - cpu_s
        fleet, readers = self.fleet.said, self.children[-1].said
        acked_per_s = fleet["acks"] * self.asked.rows / fleet["seconds"]
        pss, part = self.watch.pss_mb, max(1, len(self.watch.pss_mb) // 4)
        told = {
            "readings_per_s": round(acked_per_s),
            "readings_per_cpu_s": round(acked_per_s * took_s / cpu_s),
            "ack_p50_ms": round(fleet["ack_p50_ms"], 1),
            "ack_p99_ms": round(fleet["ack_p99_ms"], 1),
            "api_p99_ms": round(readers.get("api_p99_ms", 0.0), 1),
            "api_answers": readers.get("answers", 0),
            "visible_s_max": round(readers.get("visible_s_max", 0.0), 2),
            "pss_mb_max": round(max(pss)),
            "pss_mb_growth": round(statistics.median(pss[-part:]) - statistics.median(pss[:part])),
            "held_back": fleet["held"],
            "simulator_lag_ms": round(fleet["lag_ms"]),
        }
        wrong = {"fleet": fleet["error"], "readers": readers.get("errors")}
        print(f"{self.placement}, rate {rate}: {told} {wrong}", file=sys.stderr)
        return told

    def _order(self, rate: float) -> None:
        orders = self.fleet.said["orders"]
        self.fleet.order(f"rate {rate}")
        self._until("the order was heard", lambda: self.fleet.said["orders"] > orders, 60)

    def _said(self, name: str) -> bool:
        return bool(self.fleet.said.get(name) == self.asked.gateways)

    def _until(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            ended = [one.process.args for one in self.children if one.process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise SystemExit(f"in vain: {what}; ended {ended}, {self.fleet.said}")
            time.sleep(0.1)

    def _files(self) -> Sequence[DataFile]:
        return look(self.home / "lake", READINGS).files.files

    def _is_sorted(self) -> bool:
        """Whether each period of readings is one run in one order."""
        periods = runs_of(self._files()).values()
        return all(len(runs) == 1 and not runs[0].is_loose for runs in periods)

    def _verified(self) -> int:
        told = run("tidegate-cloud", "--home", str(self.home), "verify", seconds=1200)
        found = re.search(r"history is whole: ([\d,]+) readings", told)
        if found is None:
            raise SystemExit(told)
        return int(found[1].replace(",", ""))

    def close(self) -> None:
        """End what still runs, and take all cores again."""
        for child in self.children:
            if child.process.poll() is None:
                child.process.kill()
        if self.cloud.process is not None and self.cloud.process.poll() is None:
            self.cloud.kill()
        os.sched_setaffinity(0, self.cores)


def measured(asked: argparse.Namespace, placement: str, seconds: float) -> dict[str, Any]:
    """One run in a folder of its own, which goes."""
    folder = Path(tempfile.mkdtemp(prefix="bench-cloud-"))
    bench = Bench(folder, asked, placement)
    try:
        bench.open()
        return bench.measure(seconds)
    except BaseException:
        print(bench.cloud.tail() if bench.cloud.log.exists() else "", file=sys.stderr)
        raise
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="benchmarks.cloud")
    parser.add_argument("--gateways", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=800, help="readings of a block")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--readers", type=int, default=2, help="of history; 0 is together")
    parser.add_argument("--ingest", default="apart", help="or together, with view and page")
    parser.add_argument("--beside", action="store_true", help="the baseline first")
    asked = parser.parse_args(arguments)
    base = measured(asked, "together", asked.seconds / 2) if asked.beside else {}
    told = measured(asked, "apart", asked.seconds)
    ratios = ("readings_per_cpu_s", "ack_p50_ms", "ack_p99_ms", "api_p99_ms", "pss_mb_max")
    if base:
        told["together"] = {name: round(base[name] / (told[name] or 1), 3) for name in ratios}
    return told


if __name__ == "__main__":
    print(json.dumps(main()))
