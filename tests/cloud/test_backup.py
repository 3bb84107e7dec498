"""Backup while the cloud works, restore into an empty home, and what the gateways are then told."""

import json
import shutil
import stat
import threading
from pathlib import Path

import pytest

from cloud import restore as restore_module
from cloud.backup import take
from cloud.cli import console
from cloud.config import load
from cloud.errors import OperatorError, StorageError
from cloud.journal.sqlite.quarantine import State
from cloud.lake.consolidator import Consolidator
from cloud.lake.names import Names
from cloud.lake.release import Releases
from cloud.restore import restore
from cloud.verify.whole import verify
from protos.block import read_block
from protos.series import EMPTY_ROOT
from tests.cloud.verify_world import T0, Home
from tests.contract.sender import WAIT_S

Capture = pytest.CaptureFixture[str]
LATER = T0 + 3_600_000_000


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


@pytest.fixture
def place(tmp_path: Path, capsys: Capture):
    assert call(tmp_path / "cloud", "init") == 0
    capsys.readouterr()
    return tmp_path / "cloud"


@pytest.fixture
def home(place: Path):
    made = Home(place)
    yield made
    made.stop()


def check_whole(root: Path) -> str:
    found = verify(root / "journal", root / "lake")
    assert found.is_whole, found.faults
    return found.line()


def back(home: Home, root: Path) -> Home:
    """The restored home, opened; its gateways are the old ones, with all they kept."""
    restored = Home(root)
    for name, sender in home.senders.items():
        restored.senders[name] = sender
        sender.journal = restored.journal
    return restored


def test_a_restored_cloud_has_the_same_history_keys_and_registry(home, place, tmp_path, capsys):
    home.send("gw", 5)
    home.drain()
    home.send("gw", 6)
    assert call(place, "backup", str(tmp_path / "copy")) == 0
    assert call(tmp_path / "new", "restore", str(tmp_path / "copy")) == 0
    assert "is a cloud again, generation" in capsys.readouterr().out
    new = tmp_path / "new"
    assert "5 readings in the lake = 5 archived; 2 blocks" in check_whole(new)
    for name in ("ca/ca.key", "ca/ca.crt", "cloud.toml"):
        assert (new / name).read_bytes() == (place / name).read_bytes()
    for name in ("ca/ca.key", "registry.db"):
        assert stat.S_IMODE((new / name).stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "copy" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700
    assert call(new, "gateways") == 0


def test_after_a_restore_gateways_send_again_what_they_keep(home, place, tmp_path):
    for count in (5, 6):
        home.send("gw", count)
    home.drain()
    take(load(place), tmp_path / "copy", T0)
    home.send("gw", 7)
    home.send("gw", 8)
    generation = restore(tmp_path / "copy", tmp_path / "new", LATER)
    assert generation > home.journal.generation
    restored = back(home, tmp_path / "new")
    sender = restored.senders["gw"]
    kept = [read_block(block.data)[2] for block in sender.blocks]
    replies = sender.hello()
    (resume,) = (one.resume for one in replies if one.HasField("resume"))
    (grant,) = (one.epoch_grant for one in replies if one.HasField("epoch_grant"))
    assert resume.generation == generation
    assert (grant.stored_epoch, grant.previous_stored) == (1, 2)
    sender.epoch, sender.blocks, sender.series, sender.root = grant.epoch, [], [], EMPTY_ROOT
    sender.declare(2)
    for batch in kept[grant.previous_stored :]:
        sender.send(batch=batch)
    restored.drain()
    restored.stop()
    assert "26 readings in the lake = 26 archived; 4 blocks" in check_whole(tmp_path / "new")


def test_what_the_lake_copy_lacks_is_taken_from_the_journal_copy(
    home, place, tmp_path, monkeypatch
):
    """The lake is copied first; a pass and a trim meanwhile must leave no hole and no double."""
    from cloud import backup

    home.send("gw", 5)
    home.drain()
    copy_journal = backup._copy_journal

    def later(*args):
        for count in (6, 7):
            home.send("gw", count)
        home.drain()
        return copy_journal(*args)

    monkeypatch.setattr(backup, "_copy_journal", later)
    manifest = take(load(place), tmp_path / "copy", T0)
    assert manifest.lake == 1
    restore(tmp_path / "copy", tmp_path / "new", LATER)
    assert "5 readings in the lake = 5 archived; 3 blocks" in check_whole(tmp_path / "new")
    restored = back(home, tmp_path / "new")
    assert restored.journal.archived() == 1
    assert [one.closed[-1].archived for one in restored.journal.cursors()] == [1]
    restored.drain()
    restored.stop()
    assert "18 readings in the lake = 18 archived" in check_whole(tmp_path / "new")


def test_backups_taken_while_the_cloud_works_are_all_whole(home, place, tmp_path):
    home.send("a")
    home.drain()
    done = threading.Event()

    def work() -> None:
        for round_ in range(30):
            home.send("ab"[round_ % 2], 900, lost=round_ % 3)
            if round_ % 9 == 8:
                home.poison("b", 3)
            home.lake.run_once()
            home.journal.trim()
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    copies = []
    while not done.is_set() or not copies:
        copies.append(tmp_path / f"copy-{len(copies)}")
        take(load(place), copies[-1], T0)
    worker.join(WAIT_S)
    for copy in copies[:4] + copies[-1:]:
        new = tmp_path / f"new-{copy.name}"
        restore(copy, new, LATER)
        check_whole(new)
        restored = Home(new)
        restored.drain()
        head = restored.journal.head()
        assert restored.journal.archived() == head
        restored.stop()
        check_whole(new)
        shutil.rmtree(new)


def test_a_block_released_after_the_lake_was_copied_is_released_again(
    home, place, tmp_path, monkeypatch
):
    home.send("gw", 5)
    home.drain()
    home.send("gw", 6)
    home.journal.quarantine(2, "a test")
    from cloud.lake import consolidator as lake

    with monkeypatch.context() as patched:
        whole = lake.decode
        patched.setattr(lake, "decode", lambda e, n, *_: whole([x for x in e if x.offset != 2], n))
        home.drain()
    take(load(place), tmp_path / "copy", T0)
    apart = home.journal.quarantined_blocks
    ticket = apart.release(apart.list()[0])
    apart.released(apart.list()[0], T0)
    assert ticket == 1
    # The quarantine as it would be copied a moment later than the lake.
    (tmp_path / "copy" / "journal" / "quarantine.db").unlink()
    apart.copy_to(tmp_path / "copy" / "journal" / "quarantine.db")
    monkeypatch.setattr(restore_module, "check", lambda *_: None)
    restore(tmp_path / "copy", tmp_path / "new", LATER)
    restored = Home(tmp_path / "new")
    assert restored.journal.quarantined()[0].state is State.RELEASING
    restored.lake.close()
    names = Names(restored.journal.series)
    restored.lake = Consolidator(
        tmp_path / "new" / "lake", restored.journal, names, restored.viewer,
        releases=Releases(restored.journal.quarantined_blocks, names, lambda: T0),
    )  # fmt: skip
    restored.lake.recover()
    restored.stop()
    assert "11 readings in the lake = 11 archived;" in check_whole(tmp_path / "new")


def test_a_backup_goes_into_a_new_folder_and_a_restore_into_an_empty_home(home, place, tmp_path):
    home.send("gw")
    home.drain()
    take(load(place), tmp_path / "copy", T0)
    with pytest.raises(OperatorError, match="not empty"):
        take(load(place), tmp_path / "copy", T0)
    with pytest.raises(OperatorError, match="not empty"):
        restore(tmp_path / "copy", place, LATER)


def test_a_home_that_was_never_served_is_no_cloud_to_back_up(place, tmp_path, capsys):
    assert call(place, "backup", str(tmp_path / "backup")) == 2
    assert "no cloud was ever served from it" in capsys.readouterr().err
    assert not (tmp_path / "backup").exists()


def test_a_damaged_or_unfinished_backup_is_refused(home, place, tmp_path):
    home.send("gw")
    home.drain()
    take(load(place), tmp_path / "copy", T0)
    (segment,) = (tmp_path / "copy" / "journal").glob("seg-*.db")
    data = bytearray(segment.read_bytes())
    data[-1] ^= 1
    segment.write_bytes(data)
    with pytest.raises(OperatorError, match=r"seg-\d+\.db is not as it was backed up"):
        restore(tmp_path / "copy", tmp_path / "new", LATER)
    (tmp_path / "copy" / "backup.json").unlink()
    with pytest.raises(OperatorError, match="cut short"):
        restore(tmp_path / "copy", tmp_path / "new", LATER)
    assert not (tmp_path / "new").exists()


def test_a_manifest_cannot_name_files_outside_the_backup(home, place, tmp_path):
    home.send("gw")
    home.drain()
    take(load(place), tmp_path / "copy", T0)
    path = tmp_path / "copy" / "backup.json"
    told = json.loads(path.read_text())
    told["files"][0]["path"] = "../cloud/cloud.toml"
    path.write_text(json.dumps(told))
    with pytest.raises(OperatorError, match="not as it was backed up"):
        restore(tmp_path / "copy", tmp_path / "new", LATER)


def test_a_restore_that_was_cut_short_leaves_no_home_that_would_start(
    home, place, tmp_path, monkeypatch
):
    home.send("gw")
    home.drain()
    take(load(place), tmp_path / "copy", T0)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restore_module, "begin_generation", full)
    with pytest.raises(StorageError, match="No space left"):
        restore(tmp_path / "copy", tmp_path / "new", LATER)
    with pytest.raises(OperatorError, match="no such file"):
        load(tmp_path / "new")


def test_a_journal_without_a_block_of_its_newest_segment_begins_a_generation(home, tmp_path, place):
    take(load(place), tmp_path / "copy", T0)
    restore(tmp_path / "copy", tmp_path / "new", LATER)
    restored = Home(tmp_path / "new")
    restored.send("gw", 3)
    restored.drain()
    restored.stop()
    check_whole(tmp_path / "new")


def test_the_guides_commands_do_what_it_says(home, place, tmp_path, capsys):
    guide = Path(__file__).parents[2] / "docs" / "guide" / "backup.md"
    lines = [line.strip() for line in guide.read_text().splitlines() if line.startswith("    ")]
    assert [line.split()[0] for line in lines] == ["tidegate-cloud"] * 4
    (tmp_path / "backup").mkdir()
    home.send("gw", 5)
    home.drain()
    for line in lines:
        words = line.replace("/backup/", f"{tmp_path}/backup/").split()[1:]
        words = [str(tmp_path / "new") if word == "/new/home" else word for word in words]
        assert console().call(["--home", str(place), *words]) == 0, line
    told = capsys.readouterr().out
    assert "history is whole: 5 readings" in told
    assert "gw  epoch 1, ended: 1 blocks expected, 1 stored, 1 archived" in told


def test_a_clock_before_the_copys_time_begins_no_generation(home, place, tmp_path):
    home.send("gw")
    home.drain()
    take(load(place), tmp_path / "copy", T0)
    with pytest.raises(OperatorError, match="set the clock"):
        restore(tmp_path / "copy", tmp_path / "new", T0)
