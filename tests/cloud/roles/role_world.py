"""A cloud's parent process with a real journal and view, and its consolidation in real children."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.names import Names
from cloud.lake.upkeep import UpkeepSettings
from cloud.live.live import Live
from cloud.roles.child import spawn
from cloud.roles.keeper import ConsolidationProcess
from cloud.roles.wire import Start
from protos.log import LogFormat, LogLevel
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_world import T0, Gateway
from tests.cloud.live.test_live import held

ROOT = Path(__file__).parents[3]
PER_BLOCK = 5
SELDOM = UpkeepSettings(86_400.0, 0, {})


def wait_for(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.005)


@contextmanager
def every_view_whole(live: Live, per_block: int) -> Iterator[None]:
    """As long as this lasts, every view has each reading up to its journal's end once."""
    stop, broken = threading.Event(), []

    def watch() -> None:
        while not stop.is_set():
            view = live.view
            found = held(view)
            if not len(found) == len(set(found)) == per_block * view.journal:
                broken.append((view.lake, view.journal, len(found), len(set(found))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
    assert not broken


class World:
    """Children are made by `spawn`; ``faults`` are what the next ones have, the last one stays."""

    def __init__(self, root: Path, *faults: str, upkeep: UpkeepSettings = SELDOM) -> None:
        self.root, self.faults = root, [*faults]
        self.journal = SqliteJournal.open(
            root / "journal",
            now_us=lambda: time.time_ns() // 1000,
            limits=JournalLimits(segment_bytes_max=64 << 10),
        )
        self.live = Live(self.journal, Names(self.journal.series))
        lake = str(root / "lake")
        self.role = ConsolidationProcess(
            Start(str(root / "journal"), lake, self.journal.generation, 0.05, 8 << 20,
                  upkeep, LogFormat.TEXT, LogLevel.INFO),
            self.journal, self.live, self._spawn, (0.05,),
        )  # fmt: skip
        self.line = Line(self.journal)
        self.gateway = Gateway(self.line, epoch=self.line.epoch)  # type: ignore[arg-type]
        self.blocks = 0

    def _spawn(self):
        fault = self.faults.pop(0) if len(self.faults) > 1 else "".join(self.faults)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TIDEGATE_TEST_FAULT": fault}
        make = partial(spawn, environment=environment)
        return make("tests.cloud.roles.role_child") if fault else make()

    def start(self) -> "World":
        self.role.begin()
        self.live.start()
        self.role.start()
        return self

    def send(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            first = T0 + self.blocks * 1000
            ts = [first + i for i in range(PER_BLOCK)]
            values = [float(t - T0) for t in ts]
            self.gateway.send(self.gateway.numbers(f"pump-{self.blocks % 3}", ts, values))
            self.blocks += 1

    def drain(self) -> None:
        """Until the tables, as they are shown, hold all that was sent."""
        wait_for(lambda: self.live.view.lake == self.journal.head() == self.journal.archived())

    def close(self) -> None:
        self.role.stop()
        self.live.stop()
        self.journal.close()


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
