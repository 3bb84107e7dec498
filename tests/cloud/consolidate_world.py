"""A home whose tables are spoilt by a test, and must be recomputed from its journal."""

import itertools
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud.cli import console
from cloud.journal.sqlite.snapshot import take_snapshot
from cloud.lake.mend import pieces_of, rows_of
from cloud.lake.rebuild import rebuild
from cloud.lake.table.files import DataFile
from cloud.lake.table.parquet import no_step
from cloud.lake.table.schema import READINGS, TABLES
from cloud.lake.table.state import look
from cloud.lake.table.table import LakeTable
from cloud.lake.upkeep import Upkeep
from cloud.recompute.days import EVER_US
from cloud.retention.retired import read_retired
from cloud.verify.whole import verify
from tests.cloud.correction_world import STRETCHES, unsynced
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_world import DAY_US, T0, Gateway
from tests.cloud.verify_world import Home
from tests.contract.segmented import SMALL

EVER = (-EVER_US, EVER_US)
DAY, NEXT = "2023-11-15", "2023-11-16"
Change = Callable[[pa.Table], pa.Table]


class Spoilt(Home):
    """Two gateways, two days, every kind of row, and times that were corrected; not started."""

    def __init__(self, root: Path) -> None:
        self.root, self.limits = root, SMALL
        self.clock = itertools.count(T0 + 10 * DAY_US, 1000)
        self.senders = {}
        self.step = no_step
        self.upkeep = Upkeep
        self.is_open = False

    @classmethod
    def made(cls, root: Path) -> "Spoilt":
        """Filled, its rollups as a rebuild makes them (minutes are of the series frequent then)."""
        assert console().call(["--home", str(root), "init"]) == 0
        home = cls(root)
        home.start()
        home.fill()
        home.stop()
        rebuild(root / "lake")
        return home

    def start(self) -> None:
        super().start()
        self.is_open = True

    def stop(self) -> None:
        if self.is_open:
            super().stop()
        self.is_open = False

    def fill(self, blocks: int = 4) -> None:
        """Numbers and texts of two days, scores, gaps, and readings that a correction moves."""
        line, first = Line(self.journal, "gw-1"), STRETCHES[0]
        gateway = Gateway(line, "gw-1", epoch=line.epoch)  # type: ignore[arg-type]
        for block in range(blocks):
            begin = T0 + block % 2 * DAY_US + block * 60_000_000
            ts = [begin + i * 1_000_000 for i in range(20)]
            gateway.send(
                gateway.numbers("pump", ts, [block + i / 10 for i in range(20)]),
                gateway.texts("door", ts[:2], ["open", "shut"]),
                gateway.scores("pump", ts[:1], [float(block)]),
                unsynced(gateway, "pump", first, [block * 7], [float(block)]),
                *([first.correction()] if block == blocks // 2 else []),
            )
            self.send("b", 5, lost=3)
            if block != blocks - 2:
                self.drain()

    def call(self, *arguments: str) -> int:
        return console().call(["--home", str(self.root), "consolidate", *arguments])

    def held(self) -> dict[str, list[str]]:
        """Every row of the tables that are not rollups, and what the rollups count."""
        found = {}
        for name, spec in TABLES.items():
            paths = look(self.root / "lake", spec).files.paths()
            columns = "* EXCLUDE (period)" if not spec.width_us else COUNTED
            group = "GROUP BY ALL" if spec.width_us else ""
            sql = f"SELECT {columns} FROM read_parquet(?, hive_partitioning=true) {group}"
            rows = duckdb.sql(f"{sql} ORDER BY ALL", params=[paths]).fetchall() if paths else []
            found[name] = [str(row) for row in rows]  # one NaN is as good as another
        return found

    def versions(self) -> dict[str, int]:
        return {name: look(self.root / "lake", spec).files.version for name, spec in TABLES.items()}

    def check_whole(self) -> None:
        found = verify(self.root / "journal", self.root / "lake")
        assert (found.faults, found.notes) == ([], [])

    def spoil(self, change: Change, table: str = READINGS.name, which: int = 0) -> None:
        """Have a file of a table hold other rows, as no cloud would; the cloud is stopped."""
        files = look(self.root / "lake", TABLES[table]).files.files
        file = sorted(files, key=lambda one: (-one.rows, one.path))[which]
        spoil(self.root / "lake", table, file, change)


COUNTED = (
    "gateway, series, epoch_us(ts), sum(count), round(sum(sum), 6), min(min), max(max),"
    " arg_min(first, (first_ts, part)), arg_max(last, (last_ts, part))"
)


def without(*places: int) -> Change:
    """Rows at these places are lost."""

    def change(rows: pa.Table) -> pa.Table:
        return rows.filter(pa.array(~np.isin(np.arange(rows.num_rows), places)))

    return change


def twice(*places: int) -> Change:
    """Rows at these places come twice."""
    return lambda rows: pa.concat_tables([rows, rows.take(pa.array(places))])


def otherwise(place: int) -> Change:
    """The row at a place has another value."""

    def change(rows: pa.Table) -> pa.Table:
        is_it = pa.array(np.arange(rows.num_rows) == place)
        at = rows.schema.get_field_index("value")
        values = pc.if_else(is_it, 1e9, rows["value"].combine_chunks())
        return rows.set_column(at, rows.schema.field(at), values)

    return change


def spoil(lake: Path, name: str, file: DataFile, change: Change) -> None:
    """Have a file hold other rows."""
    table = LakeTable.open(lake, TABLES[name])
    rows = change(rows_of(table, file))
    made = pieces_of(rows, table, file.start, file.end) if rows.num_rows else []
    table.replace([file], made)
    table.accept()


def lose_half(journal: Path, lake: Path) -> bool:
    """Every other row of a file of readings is lost that the journal gives; False: there is none.

    It keeps all blocks of the file, and retention removed nothing of its days.
    """
    oldest, state = take_snapshot(journal).oldest, look(lake, READINGS)
    hulls = read_retired(lake, state.retired).hulls.values()
    for file in state.files.files:
        is_cleared = any(low <= file.ts_max and high > file.ts_min for low, high in hulls)
        if file.start + 1 >= oldest and not is_cleared:
            spoil(lake, READINGS.name, file, lambda rows: rows.take(pa.array(_odd(rows.num_rows))))
            return True
    return False


def _odd(rows: int) -> np.ndarray:
    return np.arange(1, rows, 2)
