"""A journal that is lost, or set back to an older copy, while its lake lives on."""

import shutil
from pathlib import Path

import pytest

from cloud.backup import take
from cloud.config import load
from cloud.errors import StorageError
from cloud.journal.restore import EPOCHS_OF_A_GENERATION
from cloud.lake.consolidator import Consolidator
from cloud.lake.floors import LakeGround
from cloud.lake.names import Names
from cloud.ledger.of_files import read_ledger
from cloud.restore import restore
from protos.block import GENESIS_HASH
from tests.cloud.journal.lost_world import (
    check_whole,
    copied,
    lose_journal,
    send_again,
    set_back_journal,
)
from tests.cloud.lake_runs import Viewer
from tests.cloud.verify_world import T0, Home


@pytest.fixture
def home(tmp_path: Path):
    made = Home(tmp_path / "cloud")
    yield made
    made.stop()


def test_a_journal_lost_under_a_living_lake_goes_on_behind_it(home) -> None:
    for count in (5, 6):
        home.send("gw", count)
    home.drain()
    home.send("gw", 7)
    home.send("other", 3)
    generation = home.journal.generation
    lose_journal(home)
    assert (home.journal.head(), home.journal.archived()) == (2, 2)
    assert home.journal.generation > generation
    assert "11 readings in the lake = 11 archived" in check_whole(home)
    assert send_again(home, home.senders["gw"], generation) == 1
    assert send_again(home, home.senders["other"], generation) == 1
    home.drain()
    line = check_whole(home)
    assert "21 readings in the lake = 21 archived" in line
    assert f"begun anew at offset 3, generation {home.journal.generation}" in line


def test_what_the_gateway_had_deleted_is_in_the_ledger(home) -> None:
    for count in (5, 6, 7, 8):
        home.send("gw", count)
    home.drain()
    for count in (9, 10):
        home.send("gw", count)
    generation = home.journal.generation
    home.senders["gw"].hello()
    lose_journal(home)
    assert send_again(home, home.senders["gw"], generation, kept_from=6) == 1
    (old, new) = read_ledger(home.root / "journal", home.root / "lake")
    assert (old.stored, old.archived, old.deleted, old.is_open) == (4, 4, 1, False)
    assert (new.epoch >> 20, new.stored, new.is_open) == (home.journal.generation, 1, True)
    home.drain()
    check_whole(home)


def test_sessions_and_epochs_of_a_lost_journal_are_never_granted_again(home) -> None:
    home.send("gw")
    home.drain()
    before = home.senders["gw"].session
    for _ in range(3):
        generation = home.journal.generation
        lose_journal(home)
        sender = home.senders["gw"]
        epoch = sender.epoch
        send_again(home, sender, generation)
        assert sender.session > before
        assert sender.epoch > max(epoch, home.journal.generation * EPOCHS_OF_A_GENERATION)
        before = sender.session
        home.send("gw")
        home.drain()
    check_whole(home)


def test_an_older_copy_of_the_journal_beside_a_newer_lake_begins_anew(home, tmp_path) -> None:
    home.send("gw", 5)
    home.drain()
    copy = copied(home, tmp_path / "copy")
    home.send("gw", 6)
    home.drain()
    home.send("gw", 7)
    generation = home.journal.generation
    set_back_journal(home, copy)
    assert (home.journal.head(), home.journal.archived()) == (2, 2)
    assert home.journal.generation > generation
    assert send_again(home, home.senders["gw"], generation) == 1
    home.drain()
    assert "18 readings in the lake = 18 archived" in check_whole(home)
    (aside,) = (home.root / "journal").glob("aside-*")
    assert list(aside.glob("seg-*.db")), "what there was is kept"


def test_a_journal_of_an_older_generation_is_not_taken_for_the_lakes_own(home, tmp_path) -> None:
    """It has offsets that the lake has too, and they are other blocks."""
    home.send("gw", 5)
    home.drain()
    for count in (6, 7, 8):
        home.send("gw", count)
    copy = copied(home, tmp_path / "copy")
    first = home.journal.generation
    lose_journal(home)
    assert send_again(home, home.senders["gw"], first) == 3
    home.drain()
    home.send("gw", 9)
    second = home.journal.generation
    set_back_journal(home, copy)
    assert home.journal.generation > second
    assert home.journal.head() == 4
    assert send_again(home, home.senders["gw"], second) == 1
    home.drain()
    assert "35 readings in the lake = 35 archived" in check_whole(home)


def test_a_journal_lost_again_before_anything_came_is_begun_anew_again(home) -> None:
    home.send("gw", 5)
    home.drain()
    home.send("gw", 6)
    generation = home.journal.generation
    for _ in range(3):
        lose_journal(home)
    assert send_again(home, home.senders["gw"], generation) == 1
    home.drain()
    assert "11 readings" in check_whole(home)


def test_a_consolidator_refuses_a_journal_that_ends_before_its_lake(home) -> None:
    home.send("gw")
    home.drain()
    home.stop()
    shutil.rmtree(home.root / "journal")
    journal = Home(home.root / "other").journal
    names = Names(journal.series)
    lake = Consolidator(home.root / "lake", journal, names, Viewer())
    with pytest.raises(StorageError, match="stands at offset 1, the journal ends at 0"):
        lake.recover()
    lake.close()
    journal.close()
    home.start()


def test_a_gateway_never_heard_before_begins_at_its_beginning(home) -> None:
    home.send("gw")
    home.drain()
    lose_journal(home)
    home.send("new", 4)
    home.drain()
    assert "9 readings" in check_whole(home)
    assert home.senders["new"].blocks[0].hash != GENESIS_HASH


def test_a_restored_backup_can_lose_its_journal_as_well(tmp_path) -> None:
    from cloud.cli import console

    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    home = Home(tmp_path / "cloud")
    home.send("gw", 5)
    home.drain()
    take(load(tmp_path / "cloud"), tmp_path / "copy", T0)
    home.stop()
    restore(tmp_path / "copy", tmp_path / "new", T0 + 3_600_000_000)
    shutil.rmtree(tmp_path / "new" / "journal")
    assert LakeGround(tmp_path / "new" / "lake").ground().offset == 1
    again = Home(tmp_path / "new")
    assert again.journal.head() == 1
    check_whole(again)
    again.stop()
