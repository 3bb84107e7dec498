"""An order to erase that is cut short, and blocks that are released from quarantine after one."""

import shutil
from pathlib import Path

import pytest

from cloud.cli import console
from cloud.config import load
from cloud.lake.table.schema import READINGS
from cloud.retention.erasure import erase, orders_of
from cloud.retention.order import ALWAYS_US
from cloud.rollup.partials import DAY_US
from cloud.verify.whole import verify
from tests.cloud.commands.test_quarantine import Blind, with_releases
from tests.cloud.consolidate_world import Spoilt
from tests.cloud.lake_runs import Crash
from tests.cloud.lake_world import T0
from tests.cloud.retention.erase_world import check, whole, wish
from tests.cloud.verify_world import Home


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Spoilt.made(tmp_path_factory.mktemp("filled") / "cloud").root


@pytest.fixture
def home(tmp_path: Path, filled: Path):
    shutil.copytree(filled, tmp_path / "cloud")
    made = Spoilt(tmp_path / "cloud")
    yield made
    made.stop()


@pytest.mark.parametrize("crash_at", [1, 4, 9, 15, 21, 28, 36, 45])
def test_a_crash_at_any_step_is_finished_by_the_next_start(home, due, crash_at):
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == crash_at:
            raise Crash(name)

    is_cut = False
    try:
        erase(load(home.root), wish("gw-1/pump", ALWAYS_US, T0 + DAY_US), step=step)
    except Crash:
        is_cut = True
        found = verify(home.root / "journal", home.root / "lake")
        assert found.faults == []
    home.start()
    home.send("c", 5)
    home.drain()
    home.stop()
    told = orders_of(load(home.root))
    if not told:
        assert is_cut
        home.check_whole()
        return
    assert told[0].is_done
    left = [row for row in home.held()[READINGS.name] if "'pump'" in row]
    assert len(left) < 80
    check(home, told[0].readings)
    rows = {name: [row for row in rows if "'c'" not in row] for name, rows in whole(home).items()}
    assert rows == due


@pytest.fixture(scope="module")
def due(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> dict[str, list[str]]:
    """What is left where nothing is cut short."""
    other = Spoilt(tmp_path_factory.mktemp("due") / "cloud")
    shutil.copytree(filled, other.root)
    erase(load(other.root), wish("gw-1/pump", ALWAYS_US, T0 + DAY_US))
    return whole(other)


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Three blocks of 5, 6 and 7 readings, the second in quarantine; then metric-1 is erased."""
    assert console().call(["--home", str(tmp_path / "other"), "init"]) == 0
    home = Home(tmp_path / "other")
    for count in (5, 6, 7):
        home.send("gw", count)
    Blind(monkeypatch).drain(home, 2)
    block = home.journal.quarantined()[0]
    home.stop()
    found = erase(load(home.root), wish("gw/device-1/metric-1"))
    assert (found.apart, found.order.readings) == (1, 7)
    home.start()
    home.journal.quarantined_blocks.release(block)
    yield home
    home.stop()


@pytest.mark.parametrize("crash_at", [0, 1, 3, 5, 8])
def test_a_block_released_from_quarantine_does_not_bring_it_back(apart, crash_at):
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == crash_at:
            raise Crash(name)

    with_releases(apart, step)
    try:
        apart.lake.recover()
    except Crash:
        with_releases(apart)
        apart.lake.recover()
    found = verify(apart.root / "journal", apart.root / "lake")
    assert (found.faults, found.erased, found.in_lake) == ([], 7 + 3, 11 - 3)
    (order,) = orders_of(load(apart.root))
    assert order.readings == 10
