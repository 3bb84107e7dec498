"""A lake that can be killed at any step of a pass and opened again, and what it must hold then."""

from pathlib import Path

import duckdb

from cloud.lake.consolidator import Batch, Consolidator
from cloud.lake.embedded import Decoded
from cloud.lake.floors import FOLDER, FloorKeeper
from cloud.lake.names import Names
from cloud.lake.table.schema import ROLLUPS, is_whole
from tests.cloud.lake_world import T0, Gateway, MemoryJournal


class Crash(BaseException):
    """Power went out: nothing may catch it."""


class Viewer:
    """Keeps the newest batch view; `held` are paths that some reader still has."""

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self.held: frozenset[str] = frozenset()
        self.shown: list[int] = []

    def publish(self, batch: Batch) -> None:
        self.batch = batch

    def released(self, decoded: Decoded) -> None:
        self.shown.append(decoded.end)

    def in_use(self) -> frozenset[str]:
        return self.held


class World:
    """A lake that can be killed at a step and opened again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = MemoryJournal()
        self.gateway = Gateway(self.journal)
        self.viewer = Viewer()
        self.bytes_per_pass = 32 << 20
        self.steps: list[str] = []
        self.crash_at = -1
        self.consolidator: Consolidator | None = None
        self.has_floors = False

    def step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) == self.crash_at:
            raise Crash(name)

    def start(self) -> Consolidator:
        names = Names(self.journal.series)
        self.consolidator = Consolidator(
            self.root,
            self.journal,
            names,
            self.viewer,
            bytes_per_pass=self.bytes_per_pass,
            step=self.step,
            floors=FloorKeeper(self.root, self.journal) if self.has_floors else None,
        )
        self.consolidator.recover()
        return self.consolidator

    def kill(self) -> None:
        assert self.consolidator is not None
        self.consolidator.close()

    def drain(self) -> None:
        consolidator = self.consolidator or self.start()
        while consolidator.run_once().more:
            pass

    def rows(self, table: str = "readings", columns: str = "*") -> list[tuple[object, ...]]:
        assert self.viewer.batch is not None
        paths = self.viewer.batch.tables[table].paths()
        if not paths:
            return []
        sql = f"SELECT {columns} FROM read_parquet(?, hive_partitioning=false) ORDER BY ALL"
        return duckdb.sql(sql, params=[paths]).fetchall()

    def readings(self) -> list[tuple[object, ...]]:
        return self.rows(columns="gateway, device, epoch_us(ts), coalesce(value::text, text)")

    def counts(self, table: str) -> int:
        """Readings that a rollup accounts for."""
        return int(sum(row[0] for row in self.rows(table, "count")))  # type: ignore[misc]


def fill(world: World, blocks: int = 3, gateway: Gateway | None = None) -> None:
    gateway = gateway or world.gateway
    for _ in range(blocks):
        block = gateway.seq
        ts = [T0 + block * 60_000_000 + i * 1_000_000 for i in range(5)]
        gateway.send(
            gateway.numbers("pump", ts, [block + i / 10 for i in range(5)]),
            gateway.texts("door", ts[:2], ["open", "shut"]),
            *([gateway.scores("pump", ts[:1], [float(block)])] if block % 2 else []),
        )


def check_whole(world: World, readings: int) -> None:
    """Every table agrees with the journal, each row once, and nothing lies about."""
    found = world.readings()
    assert len(found) == len(set(found)) == readings
    for spec in filter(is_whole, ROLLUPS):
        assert world.counts(spec.name) == readings
    batch = world.viewer.batch
    assert batch is not None
    assert batch.offset == world.journal.head() == world.journal.archived()
    named = {path for files in batch.tables.values() for path in files.paths()}
    assert {
        str(path)
        for path in world.root.rglob("*.parquet*")
        if not {"_delta_log", FOLDER} & {*path.parts}
    } == named
