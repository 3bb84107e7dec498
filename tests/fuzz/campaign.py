"""All fuzzers at once, a process each, and one line of JSON about them."""

import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TARGETS = ("block", "sync_cloud", "sync_edge", "configuration", "mqtt_wire")
HANG_S = 20
"""One input that takes longer is a hang; the machine may be busy with others' work."""
RSS_MB_MAX = 1024
GRACE_S = 120
KEPT = ("crash-*", "timeout-*", "oom-*", "leak-*")

_STATS = {
    "executions": re.compile(r"^stat::number_of_executed_units:\s+(\d+)", re.MULTILINE),
    "rss_mb_peak": re.compile(r"^stat::peak_rss_mb:\s+(\d+)", re.MULTILINE),
}
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")


@dataclass(slots=True)
class Result:
    """How one fuzzer fared; ``coverage`` counts edges of the product's code, None: never told."""

    target: str
    seconds: float = 0.0
    executions: int = 0
    rss_mb_peak: int = 0
    coverage: int | None = None
    crashes: int = 0
    hangs: int = 0
    out_of_memory: int = 0
    failed: str = ""
    inputs: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.crashes or self.hangs or self.out_of_memory or self.failed)

    def told(self) -> dict[str, Any]:
        """What the one line says of it."""
        said = {name: getattr(self, name) for name in self.__slots__ if name != "target"}
        return {name: value for name, value in said.items() if value not in ("", [])}


RUNS_MAX = 100_000
"""Inputs of one process: atheris itself keeps 1 to 2 kB of each."""


@dataclass(slots=True)
class Run:
    """One fuzzer at work in a folder of its own: corpus, what it found, and its log."""

    target: str
    folder: Path
    seconds: int
    seed: int
    scratch: Path = field(init=False)
    command: list[str] = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)
    began_s: float = field(init=False)

    def start(self) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.scratch = Path(tempfile.mkdtemp(prefix="tidegate-fuzz-", dir=memory))
        corpus = self.folder / "corpus"
        corpus.mkdir(parents=True)
        target = importlib.import_module(f"tests.fuzz.{self.target}")
        for number, seed in enumerate(target.seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        command = [sys.executable, "-m", "tests.fuzz.harness", self.target, str(corpus)]
        command += [f"-runs={RUNS_MAX}", f"-timeout={HANG_S}"]
        command += [f"-seed={self.seed}"]  # 0: another each time
        command += [f"-rss_limit_mb={RSS_MB_MAX}", "-print_final_stats=1", "-len_control=10"]
        command += [f"-artifact_prefix={self.folder}/"]
        if target.WORDS:
            words = self.folder / "words.dict"
            words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS))
            command += [f"-dict={words}"]
        self.command = command
        self.began_s = time.monotonic()
        self._launch()

    def _launch(self) -> None:
        """Begin, or go on from the corpus so far, for what is left of the time."""
        left_s = max(1, round(self.seconds - (time.monotonic() - self.began_s)))
        with (self.folder / "log").open("ab") as log:
            environment = {**os.environ, "TMPDIR": str(self.scratch), "PYTHONHASHSEED": "0"}
            command = [*self.command, f"-max_total_time={left_s}"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def end(self) -> None:
        """Leave nothing behind but what was found."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def finish(self) -> Result:
        """Wait for its end, which it brings about itself, and read what it says."""
        result = Result(self.target)
        try:
            code = self.process.wait(self.seconds + GRACE_S)
            while code == 0 and time.monotonic() - self.began_s < self.seconds - 1:
                self._launch()
                code = self.process.wait(self.seconds + GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code, result.hangs = self.process.wait(), 1
        result.seconds = round(time.monotonic() - self.began_s, 1)
        log = (self.folder / "log").read_text(errors="replace")
        for name, pattern in _STATS.items():
            found = pattern.findall(log)
            figures = [int(figure) for figure in found] or [0]
            setattr(result, name, sum(figures) if name == "executions" else max(figures))
        coverage = _COVERAGE.findall(log)
        result.coverage = int(coverage[-1][0]) if coverage else None
        result.inputs = [str(path) for of in KEPT for path in sorted(self.folder.glob(of))]
        named = [Path(path).name.split("-")[0] for path in result.inputs]
        result.crashes, result.out_of_memory = named.count("crash"), named.count("oom")
        result.hangs += named.count("timeout")
        if code and result.is_clean:
            result.failed = f"exit code {code}: {log[-500:]}"
        return result


def campaign(targets: tuple[str, ...], seconds: int, seed: int = 0) -> list[Result]:
    """Fuzz all of them side by side. What was found stays in a folder that the result names.

    ``seed``: where chance begins, 0 for another beginning each time.
    """
    folder = Path(tempfile.mkdtemp(prefix="tidegate-fuzz-"))
    runs: list[Run] = []
    try:
        for target in targets:
            run = Run(target, folder / target, seconds, seed)
            run.start()
            runs.append(run)
        with ThreadPoolExecutor(len(runs)) as waiting:
            results = list(waiting.map(Run.finish, runs))
    finally:
        for run in runs:
            run.end()
    if all(result.is_clean for result in results):
        shutil.rmtree(folder)
    return results


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)
