"""What showing a reading costs the first process: `python -m benchmarks.view`.

A journal of so many gateways' blocks (`benchmarks.cloud_fleet`) is followed twice in one run: with
blocks decoded in the first process, which is the baseline, and in a process of its own. CPU is in
µs a reading, of the first process and of the decoder, of a second pass over the journal, so that
neither comes to know its series then; memory is proportional (PSS), the decoder's highest, in a
third. The last line is one JSON object.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.cloud_fleet import rows_of
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.consolidator import Batch
from cloud.lake.correction import NONE
from cloud.lake.names import Names
from cloud.live.live import Live
from cloud.live.step import Steps
from cloud.roles.decoder_keeper import DecoderProcess
from cloud.roles.decoder_wire import Start
from protos.log import LogFormat, LogLevel
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_world import T0, Gateway
from tests.reconnect.light_buffer import SERIES

SECOND_US = 1_000_000
MIB = 1 << 20
LOOK_S = 0.02


def fill(journal: SqliteJournal, gateways: int, seconds: int, rows: int) -> None:
    """A block a second of each gateway."""
    fleet = []
    for number in range(gateways):
        name = f"gateway-{number:04d}"
        line = Line(journal, name)
        one = Gateway(line, name, line.epoch)  # type: ignore[arg-type]
        for device in range(SERIES):
            one.series(f"device-{device}")
        fleet.append(one)
    for second in range(seconds):
        start = T0 + second * SECOND_US
        for one in fleet:
            one.send(rows_of(rows, start, start + SECOND_US))


def followed(live: Live, own: Callable[[], float], blocks: int) -> dict[str, float]:
    """Follow a whole journal: CPU seconds of this process and of another, and wall."""
    live.publish(Batch(0, live.view.tables))
    before, other, began = time.process_time(), own(), time.perf_counter()
    while live.view.journal < blocks:
        live.advance()
    spent = time.process_time() - before
    return {"first": spent, "other": own() - other, "wall": time.perf_counter() - began}


class Highest:
    """The highest PSS of a process while this is open, in MiB."""

    def __init__(self, pid: int) -> None:
        self.mib, self._process, self._over = 0.0, psutil.Process(pid), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            self.mib = max(self.mib, self._process.memory_full_info().pss / MIB)

    def __enter__(self) -> "Highest":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def cpu_of(pid: int) -> float:
    """Seconds that a process took so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def measure(root: Path, gateways: int, seconds: int, rows: int) -> dict[str, float]:
    """Both placements, one after the other, and the second once more with its memory looked at."""
    limits = JournalLimits(segment_bytes_max=64 * MIB)
    journal = SqliteJournal.open(root / "journal", now_us=lambda: T0, limits=limits)
    fill(journal, gateways, seconds, rows)
    blocks, readings = gateways * seconds, gateways * seconds * rows
    names = Names(journal.series)
    followed(Live(journal, names), lambda: 0.0, blocks)  # names come to be known
    together = Live(journal, names)
    here = followed(together, lambda: 0.0, blocks)
    start = Start(str(root / "journal"), str(root / "attempt"), LogFormat.TEXT, LogLevel.INFO)
    decoder = DecoderProcess(start, Steps(journal, names))
    decoder.begin()
    decoder.take(blocks, NONE)  # it is there, and has nothing yet
    pid = decoder.pid
    assert pid is not None
    idle = psutil.Process(pid).memory_full_info().pss / MIB
    followed(Live(journal, names, steps=decoder), lambda: 0.0, blocks)
    apart = Live(journal, names, steps=decoder)
    there = followed(apart, lambda: cpu_of(pid), blocks)
    with Highest(pid) as highest:
        followed(Live(journal, names, steps=decoder), lambda: 0.0, blocks)
    same = (
        together.book.counts()
        == apart.book.counts()
        == (len(together.book.known().names), readings, 0)
    )
    decoder.stop()
    journal.close()
    return {
        "readings": readings,
        "together_us": here["first"] / readings * 1e6,
        "apart_first_us": there["first"] / readings * 1e6,
        "apart_decoder_us": there["other"] / readings * 1e6,
        "first_ratio": there["first"] / here["first"],
        "wall_ratio": there["wall"] / here["wall"],
        "decoder_idle_mib": idle,
        "decoder_mib_max": highest.mib,
        "same": float(same),
    }


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateways", type=int, default=250)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--rows", type=int, default=750)
    of = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), of.gateways, of.seconds, of.rows)
    for name, value in found.items():
        print(f"{name:20} {value:12.3f}", file=sys.stderr)
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
