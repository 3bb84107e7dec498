"""A lake whose power went in a commit opens again: its log is mended before anyone looks at it."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from deltalake import DeltaTable

from cloud.config import CloudConfig
from cloud.lake.passes import carry_over
from cloud.lake.table import log as log_of
from cloud.lake.table.log import LOG
from cloud.lake.table.parquet import SyncFailedError
from cloud.lake.table.schema import READINGS
from cloud.settings import CloudSettings
from cloud.verify.whole import verify
from protos.settings import read_settings
from tests.cloud.verify_world import Home


@pytest.fixture
def home(tmp_path: Path):
    made = Home(tmp_path / "cloud")
    yield made
    made.stop()


def _log(home: Home) -> Path:
    return home.root / "lake" / READINGS.name / LOG


def _check_whole(home: Home, readings: int) -> None:
    home.drain()
    assert verify(home.root / "journal", home.root / "lake").line().startswith("history is whole: ")
    assert home.batch().tables[READINGS.name].rows == readings
    assert not list(home.root.rglob("*.torn"))


def test_a_checkpoint_that_is_named_and_not_there_keeps_no_cloud_from_starting(home, monkeypatch):
    monkeypatch.setattr("cloud.lake.table.table.CHECKPOINT_EVERY", 2)
    for _ in range(2):
        home.send("gw", 5)
        home.drain()
    home.stop()
    (checkpoint,) = _log(home).glob("*.checkpoint.parquet")
    checkpoint.unlink()
    home.start()
    _check_whole(home, 10)


def _checkpoint_torn_in_the_middle(home: Home) -> Path:
    """The only checkpoint, as a power cut leaves it whose last pages were on the disk already."""
    (checkpoint,) = _log(home).glob("*.checkpoint.parquet")
    held = checkpoint.read_bytes()
    checkpoint.write_bytes(held[:4] + bytes(len(held) - 4 - 12_000) + held[-12_000:])
    return checkpoint


def test_a_checkpoint_that_was_never_synced_is_not_believed(home, monkeypatch):
    monkeypatch.setattr("cloud.lake.table.table.CHECKPOINT_EVERY", 2)

    def cut(*_: object) -> None:
        raise SyncFailedError("sync a checkpoint", "the power went", "")

    monkeypatch.setattr("cloud.lake.table.log.make_checkpoint_durable", cut)
    for _ in range(2):
        home.send("gw", 5)
        with suppress(SyncFailedError):
            home.drain()
    home.stop()
    monkeypatch.undo()
    _checkpoint_torn_in_the_middle(home)
    (_log(home) / "_synced_checkpoint.new").write_bytes(b"")
    home.start()
    _check_whole(home, 10)
    assert not list(_log(home).glob("*.new"))


def test_whoever_opens_a_table_while_it_is_mended_can_read_it(home, monkeypatch):
    monkeypatch.setattr("cloud.lake.table.table.CHECKPOINT_EVERY", 2)
    for _ in range(2):
        home.send("gw", 5)
        home.drain()
    home.stop()
    folder = _log(home).parent
    (_log(home) / "_synced_checkpoint").unlink()  # so the checkpoint goes, which is whole
    set_aside, seen = log_of._set_aside, []

    def seen_between(path: Path) -> Path:
        done = set_aside(path)
        seen.append(DeltaTable(str(folder)).version())
        return done

    monkeypatch.setattr(log_of, "_set_aside", seen_between)
    home.start()
    assert seen == [2, 2]
    _check_whole(home, 10)


def test_a_checkpoint_whose_entries_are_gone_is_kept_without_a_note(home, monkeypatch):
    monkeypatch.setattr("cloud.lake.table.table.CHECKPOINT_EVERY", 2)
    for _ in range(2):
        home.send("gw", 5)
        home.drain()
    home.stop()
    (checkpoint,) = _log(home).glob("*.checkpoint.parquet")
    for entry in sorted(_log(home).glob("[0-9]*.json"))[:-1]:
        entry.unlink()
    (_log(home) / "_synced_checkpoint").unlink()
    home.start()
    _check_whole(home, 10)
    assert checkpoint.exists()


@pytest.mark.parametrize("kept", [0, 40])
@pytest.mark.parametrize("is_aside", [False, True], ids=["torn", "set aside"])
def test_a_first_entry_that_is_torn_keeps_no_cloud_from_its_first_start(home, kept, is_aside):
    (first,) = _log(home).glob("*.json")
    home.stop()
    shutil.rmtree(home.root / "lake")
    first.parent.mkdir(parents=True)
    torn = first.with_name(first.name + ".torn") if is_aside else first
    torn.write_bytes(b'{"protocol":{"minReaderVersion":1,"minWriterVersion":2}'[:kept])
    home.start()
    home.send("gw", 5)
    _check_whole(home, 5)


@pytest.mark.parametrize("kept", [0, 40, -5])
def test_an_entry_torn_before_it_was_archived_keeps_no_cloud_from_starting(home, kept):
    _tear(home, kept)
    home.start()
    _check_whole(home, 10)


@pytest.mark.parametrize("kept", [1, 40])
def test_a_torn_entry_keeps_no_command_from_bringing_over_what_the_tables_lack(home, kept):
    _tear(home, kept)
    config = CloudConfig(home.root, read_settings("", CloudSettings))
    done = carry_over(config, lambda *_: None)
    assert (done.blocks, done.readings) == (1, 5)
    home.start()
    _check_whole(home, 10)


def _tear(home: Home, kept: int) -> None:
    """Ten readings, five of them in a commit that a power cut tore; the cloud is stopped."""
    home.send("gw", 5)
    home.drain()

    def die(step: str) -> None:
        if step == "committed":
            raise KeyboardInterrupt

    home.send("gw", 5)
    for table in home.lake._tables.values():
        table.step = die
    with pytest.raises(KeyboardInterrupt):
        home.lake.run_once()
    home.stop()
    entry = max(_log(home).glob("*.json"))
    entry.write_bytes(entry.read_bytes()[:kept])


def test_what_a_start_set_aside_that_died_itself_goes_with_the_next(home):
    home.send("gw", 5)
    home.drain()
    home.stop()
    torn = _log(home) / "00000000000000000009.json.torn"
    torn.write_bytes(b"{")
    home.start()
    _check_whole(home, 5)
