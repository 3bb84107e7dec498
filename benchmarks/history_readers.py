"""Questions by several clients at once, answered together and by readers of their own, in one run.

`python -m benchmarks.history_readers [--readings N] [--devices N] [--keys N] [--clients N]
[--rounds N] [--readers N] [--home DIR]`. A home is filled as `benchmarks.history` fills it (or one
is named that is), and its cloud started in one form and the other, ROUNDS times in turn. Of each
question there are the medians of the rounds: wall at p50 and p99, CPU a request of the first
process and of the readers. Ends with one JSON line.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.history import WARM_UP, child
from benchmarks.history_ask import over_http
from benchmarks.history_questions import QUESTIONS, keys
from benchmarks.history_sets import Fleet, Size
from benchmarks.history_year import names_of
from deploy.demo.broker import free_port, wait_for_port
from deploy.demo.stack import Half, run

MIB: Final = 1 << 20
Figures = dict[str, float]


def cpu_s(cloud: psutil.Process) -> tuple[float, float]:
    """CPU seconds of the first process, and of those that it started."""
    own = cloud.cpu_times()
    others = [one.cpu_times() for one in cloud.children()]
    return own.user + own.system, sum(one.user + one.system for one in others)


def pss_mb(cloud: psutil.Process) -> float:
    """Proportional memory of all processes."""
    family = [cloud, *cloud.children()]
    return float(sum(one.memory_full_info().pss for one in family)) / MIB


def one_round(
    home: Path, size: Size, asked: argparse.Namespace, readers: str
) -> dict[str, Figures]:
    """Every question of one form, keys that were asked once before."""
    ids = [f"{each:016x}" for each in names_of(Fleet(size))["series"].to_pylist()]
    ports = [free_port() for _ in range(3)]
    listen = "".join(
        f'{name} = "127.0.0.1:{port}"\n'
        for name, port in zip(("http", "sync", "enrol"), ports, strict=True)
    )
    (home / "cloud.toml").write_text(
        f"[listen]\n{listen}[roles]\nreaders = {readers}\n", encoding="utf-8"
    )
    binary = Path(sys.executable).parent / "tidegate-cloud"
    cloud = Half([str(binary), "--home", str(home), "serve"], home / "log")
    cloud.start()
    assert cloud.process is not None
    found: dict[str, Figures] = {}
    try:
        wait_for_port(ports[0], cloud.process, 300)
        process = psutil.Process(cloud.process.pid)
        for question in QUESTIONS:
            drawn = keys(question, size, asked.keys + WARM_UP)
            paths = [question.path(key, ids) for key in drawn]
            for _ in range(2):
                over_http(ports[0], paths, asked.clients)
            before = cpu_s(process)
            many = over_http(ports[0], paths, asked.clients)
            took = [1e3 * (b - a) / len(paths) for a, b in zip(before, cpu_s(process), strict=True)]
            alone = over_http(ports[0], paths[: asked.keys // 2], 1)
            assert many is not None
            assert alone is not None
            found[question.name] = {
                "p50_ms": many.p50_ms, "p99_ms": many.p99_ms, "alone_p50_ms": alone.p50_ms,
                "first_cpu_ms": round(took[0], 2), "others_cpu_ms": round(took[1], 2),
            }  # fmt: skip
        found["memory"] = {"pss_mb": round(pss_mb(process), 1)}
    finally:
        cloud.stop()
    return found


def measured(home: Path, size: Size, asked: argparse.Namespace) -> dict[str, Any]:
    """The medians of all rounds, by form and question."""
    forms = {"together": '"together"', f"readers_{asked.readers}": str(asked.readers)}
    rounds: dict[str, list[dict[str, Figures]]] = defaultdict(list)
    for number in range(asked.rounds):
        for form, readers in forms.items():
            rounds[form].append(one_round(home, size, asked, readers))
            print(f"round {number} {form}: {rounds[form][-1]}", file=sys.stderr)
    return {
        form: {
            name: {
                figure: round(statistics.median(one[name][figure] for one in held), 2)
                for figure in held[0][name]
            }
            for name in held[0]
        }
        for form, held in rounds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.history_readers")
    parser.add_argument("--readings", type=int, default=2_000_000)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--home", type=Path, default=None)
    asked = parser.parse_args()
    size = Size(asked.readings, asked.devices)
    if asked.home is not None:
        print(json.dumps(measured(asked.home, size, asked)))
        return
    home = Path(tempfile.mkdtemp(prefix="history-"))
    try:
        run("tidegate-cloud", "--home", str(home), "init")
        for what in ("tables", "journal", "consolidate"):
            child("history_home", home, asked.readings, asked.devices, what)
        print(json.dumps(measured(home, size, asked)))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
