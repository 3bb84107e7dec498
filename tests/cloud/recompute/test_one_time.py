"""Readings of one time are in the order of their blocks, and within one as it has them.

`consolidate --from` moves some of them into other files, which must not change that order.
"""

from pathlib import Path

import pytest

from cloud.lake.names import Name
from cloud.lake.rebuild import rebuild
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.schema import READINGS, SERIES_COLUMNS
from cloud.lake.table.state import look
from cloud.live.view import View
from cloud.query.lake import LakeReader
from cloud.query.rows import ordered
from cloud.recompute.days import recompute
from tests.cloud.consolidate_world import EVER, Spoilt, without
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_world import T0, Gateway

EACH = 7
BLOCKS = 5


@pytest.fixture
def home(tmp_path: Path):
    """Five blocks of seven readings, all of one series and one time, in two files."""
    made = Spoilt(tmp_path / "cloud")
    made.start()
    line = Line(made.journal, "gw-1")
    gateway = Gateway(line, "gw-1", epoch=line.epoch)  # type: ignore[arg-type]
    for block in range(BLOCKS):
        values = [float(block * EACH + at) for at in range(EACH)]
        gateway.send(gateway.numbers("pump", [T0] * EACH, values))
        if block == BLOCKS - 2:
            made.drain()
    made.drain()
    made.stop()
    yield made
    made.stop()


def raw(home: Spoilt) -> list[float]:
    """The values as an answer has them."""
    files = look(home.root / "lake", READINGS).files
    view = View(BLOCKS, BLOCKS, {READINGS.name: files}, ())
    rows = lake_parquet.read([Path(files.path(files.files[0]))], READINGS, SERIES_COLUMNS)
    said = rows.slice(0, 1).to_pylist()[0]
    name = Name(id=said.pop("series"), **said)
    parts = LakeReader().readings(view, name, T0, T0 + 1, 1000, origin=False)
    return ordered(name.id, parts).value.tolist()


@pytest.mark.parametrize("lost", [(0,), (3, 9, 17), (6, 13, 20), tuple(range(0, 28, 2))])
def test_rows_brought_back_stand_where_they_stood(home, lost):
    due = [float(at) for at in range(BLOCKS * EACH)]
    rebuild(home.root / "lake")
    before = home.held()
    assert raw(home) == due
    home.spoil(without(*lost))
    assert raw(home) != due
    assert not recompute(home.root / "journal", home.root / "lake", EVER).is_same
    assert raw(home) == due
    assert home.held() == before, "a first or a last of a rollup is another"
    home.check_whole()
