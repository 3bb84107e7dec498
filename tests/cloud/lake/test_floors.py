"""What the lake keeps of its journal: floors, blocks set apart, and the last pass's rare rows."""

import shutil
from pathlib import Path

import pytest

from cloud.errors import StorageError
from cloud.journal.sqlite.quarantine import State
from cloud.lake.floors import read_floors
from cloud.lake.table.parquet import no_step
from cloud.ledger.of_lake import gaps_of
from tests.cloud.journal.lost_world import (
    check_whole,
    lose_journal,
    send_again,
)
from tests.cloud.lake_runs import Crash
from tests.cloud.verify_world import Home


@pytest.fixture
def home(tmp_path: Path):
    made = Home(tmp_path / "cloud")
    yield made
    made.stop()


def test_blocks_set_apart_are_still_known_when_their_bytes_are_lost(home) -> None:
    home.send("gw", 5)
    home.poison("gw", 7)
    home.drain()
    generation = home.journal.generation
    lose_journal(home)
    assert "5 readings in the lake = 12 archived − 7 quarantined" in check_whole(home)
    (apart,) = home.journal.quarantined()
    assert (apart.state, apart.readings) == (State.HELD, 7)
    assert home.journal.quarantined_blocks.data(apart) is None
    send_again(home, home.senders["gw"], generation)
    home.drain()
    check_whole(home)


def test_tickets_of_releases_go_on_above_those_the_lake_has_seen(home) -> None:
    apart = home.journal.quarantined_blocks
    apart.adopt((), 41)
    home.poison("gw")
    home.drain()
    (block,) = home.journal.quarantined()
    assert apart.release(block) == 42


def test_a_lake_whose_floors_are_lost_gets_them_again_from_its_journal(home) -> None:
    home.send("gw", 5)
    home.poison("gw", 7)
    home.drain()
    home.send("gw", 6)
    whole = read_floors(home.root / "lake", 2)
    for path in (home.root / "lake" / "floors").iterdir():
        path.write_bytes(b"\xff" + path.read_bytes()[1:])
    home.stop()
    home.start()
    again = read_floors(home.root / "lake", 2)
    assert again.tallies == whole.tallies
    assert again.apart == whole.apart
    home.senders["gw"].hello()
    home.send("gw", 1)
    home.drain()
    floors = read_floors(home.root / "lake", 4).ground().floors
    (cursor,) = home.journal.cursors()
    assert [(one.epoch, one.seq, one.hash) for one in floors] == [(1, 4, cursor.stored_hash)]


def test_a_lost_journal_and_lost_floors_are_refused_with_the_way_out(home) -> None:
    home.send("gw")
    home.drain()
    home.stop()
    shutil.rmtree(home.root / "journal")
    shutil.rmtree(home.root / "lake" / "floors")
    with pytest.raises(StorageError, match="restore the cloud from a backup"):
        home.start()
    shutil.rmtree(home.root / "lake")
    home.start()


@pytest.mark.parametrize("commits", range(1, 6))
def test_a_pass_cut_short_and_then_its_journal_lost_leaves_all_tables_level(home, commits) -> None:
    """Commits of a pass: readings, gaps, three rollups; the process dies behind one of them."""
    home.send("gw", 5, lost=3)
    home.drain()
    home.send("gw", 70, lost=4)
    home.send("gw", 6)
    seen = 0

    def die(step: str) -> None:
        nonlocal seen
        seen += step == "commit durable"
        if seen == commits:
            raise Crash

    home.stop()
    home.step = die
    home.start()
    with pytest.raises(Crash):
        home.drain()
    home.step = no_step
    generation = home.journal.generation
    lose_journal(home)
    assert home.journal.head() == 3
    assert "81 readings in the lake = 81 archived" in check_whole(home)
    told = gaps_of(home.batch().tables["gaps"].paths())
    assert [(one.records, one.readings) for one in told.values()] == [(2, 7)]
    home.senders["gw"].session = 0
    assert send_again(home, home.senders["gw"], generation) == 0
    check_whole(home)
