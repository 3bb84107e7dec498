"""A journal that is lost, or set back to an older copy, while its lake lives on."""

import shutil
from pathlib import Path

import pytest

from cloud.backup import take
from cloud.config import load
from cloud.errors import StorageError
from cloud.journal_restore import EPOCHS_OF_A_GENERATION
from cloud.journal_sqlite.quarantine import State
from cloud.lake import Consolidator
from cloud.lake_floors import LakeGround, read_floors
from cloud.lake_names import Names
from cloud.ledger_files import read_ledger
from cloud.restore import restore
from cloud.verify import Verdict, verify
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, read_block
from protos.series import EMPTY_ROOT
from tests.cloud.lake_runs import Viewer
from tests.cloud.verify_world import T0, Home
from tests.contract.sender import WAIT_S, WINDOW_BYTES, Sender


@pytest.fixture
def home(tmp_path: Path):
    made = Home(tmp_path / "cloud")
    yield made
    made.stop()


def verdict(home: Home) -> Verdict:
    return verify(home.root / "journal", home.root / "lake")


def check_whole(home: Home) -> str:
    found = verdict(home)
    assert found.is_whole, found.faults
    return found.line()


def lose_journal(home: Home) -> None:
    home.stop()
    shutil.rmtree(home.root / "journal")
    home.start()


def set_back_journal(home: Home, copy: Path) -> None:
    home.stop()
    shutil.rmtree(home.root / "journal")
    shutil.copytree(copy, home.root / "journal")
    home.start()


def copied(home: Home, to: Path) -> Path:
    home.stop()
    shutil.copytree(home.root / "journal", to)
    home.start()
    for sender in home.senders.values():
        sender.hello()
    return to


def send_again(home: Home, sender: Sender, generation: int, kept_from: int = 1) -> int:
    """What a gateway does that keeps its blocks from one seq on: readings sent again."""
    kept = [read_block(block.data)[2] for block in sender.blocks]
    hello = pb.Hello(
        protocol_min=1, protocol_max=1, gateway=sender.name, epoch=sender.epoch,
        head=len(sender.blocks), head_hash=sender.blocks[-1].hash, oldest_kept=kept_from,
        boot_id=sender.boot_id, generation=generation, series_high=len(sender.series),
        series_root=sender.root,
    )  # fmt: skip
    replies = home.journal.hello(sender.name, hello, WINDOW_BYTES).result(WAIT_S).replies
    (resume,) = (one.resume for one in replies if one.HasField("resume"))
    (grant,) = (one.epoch_grant for one in replies if one.HasField("epoch_grant"))
    assert resume.generation == home.journal.generation > generation
    assert grant.epoch > sender.epoch
    above = grant.previous_stored if grant.stored_epoch == sender.epoch else 0
    sender.session, sender.epoch = grant.session, grant.epoch
    sender.blocks, sender.series, sender.root = [], [], EMPTY_ROOT
    sender.declare(2)
    again = kept[max(above, kept_from - 1) :]
    for batch in again:
        sender.send(batch=batch)
    return len(again)


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
