"""`verify` counts history again: it passes what is whole and names what is not."""

import threading
from dataclasses import replace
from pathlib import Path

import apsw
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.errors import StorageError
from cloud.journal.sqlite.segment import list_segments
from cloud.journal.sqlite.standing import cursor_rows, load_standing
from cloud.ledger.account import Lost
from cloud.ledger.of_files import read_ledger
from cloud.verify import whole as verify_module
from cloud.verify.whole import Verdict, verify
from tests.cloud.verify_world import Home
from tests.contract.sender import WAIT_S


@pytest.fixture
def home(tmp_path: Path):
    made = Home(tmp_path)
    yield made
    made.stop()


def verdict(home: Home) -> Verdict:
    return verify(home.root / "journal", home.root / "lake")


def edit(home: Home, statement: str, *values: object) -> None:
    """Change the newest segment behind the journal's back, which is closed meanwhile."""
    home.stop()
    connection = apsw.Connection(str(list_segments(home.root / "journal")[-1].path))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute(statement, values)
    connection.close()


def test_a_whole_history_is_told_in_one_line(home):
    for name in ("a", "b", "a"):
        home.send(name)
    home.drain()
    home.send("b", 4)
    found = verdict(home)
    assert found.faults == found.notes == []
    assert found.line() == (
        "history is whole: 15 readings in the lake = 15 archived; 4 blocks proved of 2 gateways"
    )


def test_one_reading_of_one_gateway_is_counted_as_one_says_it(home):
    home.send("a", 1)
    home.drain()
    assert verdict(home).line() == (
        "history is whole: 1 reading in the lake = 1 archived; 1 block proved of 1 gateway"
    )


@pytest.mark.parametrize("every_us", [1, 1_000])
def test_a_history_is_whole_in_whichever_unit_its_files_keep_their_times(home, every_us):
    home.send("a", 5_000, every_us=every_us)  # as many as make a file choose
    home.drain()
    files = home.batch().tables["readings"].files
    kept = [pq.read_schema(home.root / "lake/readings" / file.path).field("ts") for file in files]
    assert {field.type.unit for field in kept} == {"ms" if every_us == 1_000 else "us"}
    assert verdict(home).faults == []


def test_an_empty_home_is_whole_and_no_home_is_an_error(home, tmp_path):
    assert verdict(home).is_whole
    with pytest.raises(StorageError, match="there is none"):
        verify(tmp_path / "nowhere", tmp_path / "lake")


def test_quarantined_readings_are_part_of_the_sum(home):
    home.send("a")
    home.poison("a", 7)
    home.send("a")
    home.drain()
    found = verdict(home)
    assert found.is_whole, found.faults
    assert "10 readings in the lake = 17 archived − 7 quarantined" in found.line()


def test_history_stays_whole_when_segments_are_trimmed(home):
    for _ in range(3):
        for _ in range(40):
            home.send("a", 1500)
        home.drain()
        home.journal.trim()
    assert list_segments(home.root / "journal")[0].first > 1
    found = verdict(home)
    assert found.is_whole, found.faults
    assert found.in_lake == 180_000
    assert found.blocks < 120


@pytest.mark.parametrize("table", ["readings", "rollup_1h", "rollup_1d"])
def test_a_lake_that_lost_a_file_is_not_whole(home, table):
    home.send("a")
    home.drain()
    path = home.batch().tables[table].paths()[0]
    Path(path).unlink()
    assert f"{path} is missing" in verdict(home).line()


def test_a_lake_with_a_block_too_few_is_not_whole(home):
    home.send("a")
    home.send("a", 3)
    home.drain()
    # What a consolidator that skips a block would leave: the ledger counts it, the lake has none.
    table = home.lake._tables["readings"]
    table._commit([], table.state.offset, {})
    edit(home, "UPDATE name SET readings = readings + 2 WHERE offset = 1")
    edit_counts(home)
    home.start()
    found = verdict(home)
    assert any("the lake holds 8 readings, the ledger says 10" in one for one in found.faults)


def edit_counts(home: Home) -> None:
    """Make the ledger claim two readings more than were ever stored and archived."""
    segment = list_segments(home.root / "journal")[-1]
    connection = apsw.Connection(str(segment.path))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    (stood,) = load_standing(connection).values()
    more = replace(stood, tally=stood.tally.stored(1, 0, 2).archived(1, 0, 2))
    ((*_, last, counts, state),) = cursor_rows([more])
    connection.execute("UPDATE cursor SET last = ?, counts = ?, state = ?", (last, counts, state))
    connection.close()


def test_a_changed_block_is_named(home):
    home.send("a")
    home.send("a")
    data = bytearray(home.journal.read(0, 1)[0].data)
    data[-1] ^= 1
    edit(home, "UPDATE block SET data = ? WHERE offset = 1", bytes(data))
    found = verdict(home)
    home.start()
    assert "block 1 of a, epoch 1 cannot be read and is not in quarantine" in found.faults[0]


def test_a_block_put_in_place_of_another_is_named(home):
    home.send("a")
    home.send("a")
    other = home.journal.read(1, 1)[0]
    edit(home, "UPDATE block SET data = ? WHERE offset = 1", other.data)
    found = verdict(home)
    home.start()
    assert "block 1 of a, epoch 1 names itself (a, 1, 2)" in found.faults[0]


def test_a_forged_series_table_is_named(home):
    home.send("a")
    edit(home, "DELETE FROM series WHERE entry = 2")
    found = verdict(home)
    home.start()
    assert any("rests on other series than were declared" in one for one in found.faults)
    assert any("its series are not those declared" in one for one in found.faults)


def test_a_cut_off_end_of_the_journal_is_named(home):
    home.send("a")
    home.send("a")
    home.drain()
    edit(home, "DELETE FROM block WHERE offset = 2")
    found = verdict(home)
    home.start()
    assert "the journal ends at offset 1, its names say 2" in found.faults


def test_history_is_whole_at_every_moment_while_the_cloud_works(home):
    home.send("a")
    done = threading.Event()

    def work() -> None:
        for round_ in range(25):
            home.send("ab"[round_ % 2], 400)
            if round_ % 7 == 6:
                home.poison("b", 3)
            home.lake.run_once()
            home.journal.trim()
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    looks = 0
    while not done.is_set() or looks < 2:
        found = verdict(home)
        assert found.is_whole, found.faults
        looks += 1
    worker.join(WAIT_S)
    home.drain()
    assert verdict(home).in_lake == 5 + 25 * 400


ADD = st.tuples(st.sampled_from(["send", "poison"]), st.sampled_from("ab"), st.integers(1, 9))
DO = st.tuples(st.sampled_from(["drain", "trim", "restart", "epoch"]), st.just("a"), st.just(0))


@settings(max_examples=6, deadline=None)
@given(steps=st.lists(ADD | DO, max_size=14))
def test_promise_7_holds_after_whatever_happened(steps, tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    for what, name, count in steps:
        match what:
            case "send":
                home.send(name, count)
            case "poison":
                home.poison(name, count)
            case "drain":
                home.drain()
            case "trim":
                home.journal.trim()
            case "restart":
                home.stop()
                home.start()
            case "epoch":
                sender = home.sender(name)
                sender.hello()
                sender.next_epoch()
                sender.declare(2)
    found = verdict(home)
    home.stop()
    assert found.is_whole, found.faults


def test_the_ledger_tells_why_each_reading_is_not_in_the_lake(home):
    home.send("a", 5, lost=40)
    home.poison("a", 7)
    home.send("a", 2, lost=2)
    home.drain()
    home.send("a", 3)
    sender = home.sender("a")
    sender.make()
    sender.hello()
    (row,) = read_ledger(home.root / "journal", home.root / "lake")
    assert (row.expected, row.stored, row.archived, row.is_open) == (5, 4, 3, True)
    assert (row.counts.readings, row.counts.archived_readings, row.in_lake) == (17, 14, 7)
    assert (row.quarantined, row.discarded) == ((1, 7), (0, 0))
    assert row.gaps == {"evicted": Lost(2, 42)}
    assert row.reasons == ("body: NUMBERS of no series",) or "no series" in row.reasons[0]


def test_the_ledger_keeps_a_discarded_block_with_its_reason(home):
    home.poison("a", 7)
    home.drain()
    home.journal.quarantined_blocks.discard(home.journal.quarantined()[0], 5, "a test rig")
    (row,) = read_ledger(home.root / "journal", home.root / "lake")
    assert (row.quarantined, row.discarded, row.reasons) == ((0, 0), (1, 7), ("a test rig",))
    assert verdict(home).is_whole


def test_a_flood_of_faults_is_bounded():
    many = Verdict()
    for number in range(1000):
        many.blame(f"fault {number}")
    assert len(many.faults) == verify_module.FAULTS_MAX
