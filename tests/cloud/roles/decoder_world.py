"""A cloud's first process with a real journal and view, whose blocks a real decoder decodes."""

import os
import time
from pathlib import Path

from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.attempts import Attempts
from cloud.lake.consolidator import Consolidator
from cloud.lake.names import Names
from cloud.live.live import Live
from cloud.live.step import Steps
from cloud.roles.decoder_keeper import PROGRAM, DecoderProcess
from cloud.roles.decoder_wire import Start
from cloud.roles.reader_child import spawn
from protos.log import LogFormat, LogLevel
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_world import T0, Gateway
from tests.cloud.roles.role_world import ROOT

PER_BLOCK = 5


class World:
    """Processes are made by `spawn`; ``faults`` are what the next ones have, the last one stays."""

    def __init__(self, root: Path, *faults: str, answer_s: float = 60.0) -> None:
        self.root, self.faults = root, [*faults]
        self.journal = SqliteJournal.open(
            root / "journal",
            now_us=lambda: time.time_ns() // 1000,
            limits=JournalLimits(segment_bytes_max=64 << 10),
        )
        names = Names(self.journal.series)
        (root / "lake").mkdir(exist_ok=True)
        marker = root / "lake" / "attempt-live.json"
        start = Start(str(root / "journal"), str(marker), LogFormat.TEXT, LogLevel.INFO)
        here = Steps(self.journal, names, Attempts(marker))
        self.decoder = DecoderProcess(start, here, self._spawn, answer_s)
        self.live = Live(self.journal, names, steps=self.decoder)
        self.consolidator = Consolidator(root / "lake", self.journal, names, self.live)
        self.consolidator.recover()
        self.line = Line(self.journal)
        self.gateway = Gateway(self.line, epoch=self.line.epoch)  # type: ignore[arg-type]
        self.blocks = 0

    def _spawn(self):
        fault = self.faults.pop(0) if len(self.faults) > 1 else "".join(self.faults)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TIDEGATE_TEST_FAULT": fault}
        return spawn("tests.cloud.roles.role_decoder" if fault else PROGRAM, environment)

    def send(self, blocks: int = 1, rows: int = PER_BLOCK) -> None:
        for _ in range(blocks):
            first = T0 + self.blocks * 1_000_000
            ts = [first + i for i in range(rows)]
            values = [float((t - T0) * 7919 % 8191) / 7 for t in ts]
            self.gateway.send(self.gateway.numbers(f"pump-{self.blocks % 3}", ts, values))
            self.blocks += 1

    def follow(self) -> None:
        while self.live.advance():
            pass

    def close(self) -> None:
        self.live.stop()
        self.consolidator.close()
        self.journal.close()
