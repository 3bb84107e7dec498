"""What an order to erase does where not all can be made anew, and to what spans its times."""

from pathlib import Path

import numpy as np
import pytest

from cloud.cli import console
from cloud.config import load
from cloud.errors import StorageError
from cloud.lake.table.parquet import read
from cloud.lake.table.schema import EPISODES, READINGS, ROLLUP_1D, ROLLUP_1H
from cloud.lake.table.state import look
from cloud.recompute.days import look_at as compare
from cloud.retention import erasure
from cloud.retention.erasure import erase, look_at
from cloud.retention.order import ALWAYS_US
from cloud.rollup.partials import DAY_US, HOUR_US
from cloud.verify.whole import verify
from protos import records
from protos.records import Kind
from tests.cloud.aged_world import Aged
from tests.cloud.consolidate_world import EVER
from tests.cloud.retention.erase_world import wish
from tests.cloud.verify_world import T0, Home


@pytest.fixture
def aged(tmp_path: Path):
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    home = Aged(tmp_path / "cloud")
    yield home
    home.stop()


def test_rollups_of_days_whose_readings_left_go_where_they_tell_of_its_times(aged):
    aged.day(0)
    aged.day(1)
    aged.pass_days(13)
    days, hours = aged.rows(ROLLUP_1D.name), aged.rows(ROLLUP_1H.name)
    aged.stop()
    asked = wish("gw/device-1/metric-1", T0, T0 + HOUR_US)
    counted = look_at(load(aged.root), asked, lambda *_: None)
    assert (counted.rows[READINGS.name], counted.reduced) == (0, 2)
    found = erase(load(aged.root), asked)
    assert found.order.is_done
    aged.start()
    assert (aged.rows(ROLLUP_1D.name), aged.rows(ROLLUP_1H.name)) == (days - 1, hours - 1)
    told = aged.verdict()
    assert (told.erased, told.retired) == (0, 20)


def test_what_retention_left_of_a_series_is_erased_and_both_are_told(aged):
    aged.day(0)
    aged.day(6)
    aged.pass_days(12)
    aged.stop()
    erase(load(aged.root), wish("gw/device-1/metric-1"))
    aged.start()
    told = aged.verdict()
    assert (told.erased, told.retired, told.in_lake) == (10, 10, 21)
    aged.pass_days(40)
    assert aged.verdict().retired == 10


def episode(number: int, ts: int, end: int) -> records.Batch:
    columns = {
        "series": [1], "ts": [ts], "id": np.array([bytes([number] * 16)], "V16"),
        "state": [int(end > ts)],
        "end": [end], "peak_ts": [ts], "peak": [5.0], "threshold": [3.0], "model": ["drift-1"],
        "points": [1],
    }  # fmt: skip
    return records.table(Kind.EPISODES, columns)


@pytest.fixture
def home(tmp_path: Path):
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    made = Home(tmp_path / "cloud")
    made.send("gw", 9)
    made.drain()
    yield made
    made.stop()


def test_an_episode_that_touches_its_times_goes_with_all_its_rows_and_no_other(home):
    for number, end in ((1, T0 + 9 * HOUR_US), (2, T0 + 2 * HOUR_US)):
        home.sender("gw").send(batch=episode(number, T0, T0))
        home.sender("gw").send(batch=episode(number, T0, end))
        home.drain()
    home.stop()
    erase(load(home.root), wish("gw", T0 + 5 * HOUR_US, T0 + 6 * HOUR_US))
    home.start()
    paths = home.batch().tables[EPISODES.name].paths()
    left = read([Path(path) for path in paths], EPISODES)
    assert [one[0] for one in left["id"].to_pylist()] == [2, 2]
    assert verify(home.root / "journal", home.root / "lake").faults == []


def test_a_lost_file_that_an_order_may_have_touched_is_not_made_again(home, monkeypatch):
    monkeypatch.setattr(erasure, "empty_journal", lambda _: None)
    home.send("other", 9)
    home.stop()
    erase(load(home.root), wish("other/device-1/metric-1", ALWAYS_US, T0 + DAY_US))
    for path in look(home.root / "lake", READINGS).files.paths():
        Path(path).write_bytes(np.random.default_rng(1).bytes(99))
    with pytest.raises(StorageError, match="may have been erased"):
        compare(home.root / "journal", home.root / "lake", EVER)
    home.start()
