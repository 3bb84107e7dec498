"""One cloud's history asked in both forms: by this process alone, and by readers of its own."""

import os
from functools import partial
from pathlib import Path

from starlette.testclient import TestClient

from cloud.query.history import Ask, Query
from cloud.roles.reader_child import PROGRAM, spawn
from cloud.roles.reader_query import QueryApart
from cloud.roles.reader_wire import Start
from cloud.roles.readers import Readers
from cloud.rollup.partials import HOUR_US
from cloud.series.verdicts import Verdicts
from cloud.serve.app import build_app
from protos.log import LogFormat, LogLevel
from tests.cloud.lake_world import T0
from tests.cloud.roles.role_world import ROOT
from tests.cloud.serve_world import Registry, World

MEMORY_BYTES = 1 << 30
STEP_US = 10_000_000


def start(memory_bytes: int = MEMORY_BYTES) -> Start:
    return Start(32 << 20, memory_bytes, LogFormat.TEXT, LogLevel.INFO)


def readers(*faults: str, count: int = 1, answer_s: float = 60.0, memory_bytes=MEMORY_BYTES):
    """Readers that have begun; ``faults`` are what the next ones have, the last one stays."""
    left = [*faults]

    def spawned():
        fault = left.pop(0) if len(left) > 1 else "".join(left)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TIDEGATE_TEST_FAULT": fault}
        return spawn("tests.cloud.roles.role_reader" if fault else PROGRAM, environment)

    made = Readers(count, start(memory_bytes), spawned, answer_s, (0.01,))
    made.begin()
    return made


class BothForms(World):
    """``get`` asks both and holds that they answer alike, to the byte."""

    def __init__(self, root: Path, *faults: str, rows_here: int = -1, **more) -> None:
        super().__init__(root)
        self.readers = readers(*faults, **more)
        self.apart = QueryApart(self.live, self.readers, threads=1, rows_here=rows_here)
        make = partial(
            build_app, registry=Registry(), journal=self.journal, dist=None, marks=self.marks,
            operations=self.operations, access=self.access, verdicts=Verdicts(self.registry),
        )  # fmt: skip
        app = make(self.apart, self.live, readers=1)
        self.other = TestClient(app, base_url="http://localhost:8460")

    def both(self, path: str) -> bytes:
        here, there = self.client.get(path), self.other.get(path)
        assert here.status_code == there.status_code, there.text
        assert here.content == there.content
        assert dict(here.headers) == dict(there.headers)
        return there.content

    def follow(self) -> None:
        while self.live.advance():
            pass

    def consolidate(self) -> None:
        while self.consolidator.run_once().more:
            pass

    def ask(self, query: Query, device: str, **more):
        """History of a device, as `Query` tells it."""
        known = self.live.book.known().names
        series = next(name.id for name in known if name.device == device)
        return query.history(Ask((series,), **more))

    def close(self) -> None:
        self.apart.close()
        super().close()


def send(world: BothForms, device: str, first: int, count: int) -> None:
    ts = [T0 + at * STEP_US for at in range(first, first + count)]
    world.gateway.send(world.gateway.numbers(device, ts, [float(at % 97) for at in range(count)]))
    world.follow()


def filled(world: BothForms) -> BothForms:
    """Readings of two devices and texts, in the tables and behind them, some late."""
    for first in (0, 3000, 1500, 9000):
        send(world, "pump", first, 700)
        send(world, "fan", first + 100, 500)
    world.gateway.send(world.gateway.texts("door", [T0, T0 + HOUR_US], ["open", "shut"]))
    world.consolidate()
    for first in (9700, 200, 12_000):
        send(world, "pump", first, 50)
    world.gateway.send(world.gateway.texts("door", [T0 + 2 * HOUR_US], ["open"]))
    world.follow()
    return world
