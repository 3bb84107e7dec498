"""Opening, rotating and trimming: what lies in the folder, whole or torn."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import apsw
import msgspec
import pytest

from cloud.errors import OperatorError, StorageError
from cloud.journal.contract import JournalOverloadedError, TrimmedError
from cloud.journal.counts import total
from cloud.journal.sqlite.held import SERIES_SHARE
from cloud.journal.sqlite.reader import JournalReader
from cloud.journal.sqlite.segment import list_segments
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from protos.series import encode_entry
from tests.contract.recount import recount, said, stored
from tests.contract.segmented import ALL, KIB, SMALL, Open, fill, opener, segments
from tests.contract.sender import WAIT_S, Sender


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def open_journal(folder: Path) -> Iterator[Open]:
    yield from opener(folder)


def test_a_new_segment_opens_with_every_cursor_and_the_living_series(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    quiet, busy = Sender(journal, "quiet").begin(), Sender(journal, "busy").begin()
    quiet.declare(3)
    quiet.send()
    quiet.next_epoch()
    quiet.declare(2)
    fill(busy, folder, 3)
    newest = list_segments(folder)[-1]
    rows = apsw.Connection(str(newest.path), flags=apsw.SQLITE_OPEN_READONLY)
    assert list(rows.execute("SELECT gateway FROM cursor ORDER BY 1")) == [("busy",), ("quiet",)]
    assert list(rows.execute("SELECT gateway, epoch, entry FROM series ORDER BY entry")) == [
        ("quiet", 2, 1),
        ("quiet", 2, 2),
    ]
    rows.close()
    assert len(journal.series("quiet", 1)) == 3, "the closed epoch's table is in an older segment"
    assert [entry.entry for entry in journal.series("quiet", 1, after=2)] == [3]
    assert journal.series("quiet", 2) == quiet.series


def test_a_cursor_that_does_not_say_the_bytes_of_its_series_gets_them_from_the_table(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    Sender(journal, "attic").begin().declare(3)
    (counted,) = journal.cursors()
    assert counted.series_bytes == sum(len(encode_entry(e)) for e in journal.series("attic", 1))
    journal.close()
    segment = apsw.Connection(str(list_segments(folder)[-1].path))
    row = segment.execute("SELECT state FROM cursor").get
    state = msgspec.msgpack.decode(row[:-8])  # and without the proof of a row, which came later
    del state["series_bytes"]  # as written before it was counted
    segment.execute("UPDATE cursor SET state = ?", (msgspec.msgpack.encode(state),))
    segment.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    segment.close()
    assert open_journal().cursors() == [counted]


def test_names_of_all_gateways_take_an_eighth_of_the_journal_and_blocks_go_on(
    open_journal: Open,
) -> None:
    journal = open_journal()
    modest, greedy = Sender(journal, "modest").begin(), Sender(journal, "greedy").begin()
    modest.declare(3)

    def mint() -> None:
        for _ in range(100):
            greedy.declare(1000)

    with pytest.raises(JournalOverloadedError, match="the names of all gateways"):
        mint()
    held = sum(cursor.series_bytes for cursor in journal.cursors())
    assert SMALL.bytes_max // SERIES_SHARE * 0.8 < held <= SMALL.bytes_max // SERIES_SHARE
    modest.send()
    found = {cursor.gateway: cursor for cursor in open_journal().cursors()}
    assert sum(cursor.series_bytes for cursor in found.values()) == held
    assert found["modest"].stored == 1


def test_trim_unlinks_only_whole_segments_behind_archived(open_journal: Open, folder: Path) -> None:
    journal = open_journal()
    fill(Sender(journal, "attic").begin(), folder, 4)
    firsts = segments(folder)
    assert journal.trim() == 0
    journal.mark_archived(firsts[2] - 2).result(WAIT_S)
    assert journal.trim() == firsts[1] - 1
    assert segments(folder) == firsts[1:]
    journal.mark_archived(journal.head()).result(WAIT_S)
    assert journal.trim() == firsts[3] - 1
    assert segments(folder) == firsts[3:]
    assert sorted(path.name.split("-")[0] for path in folder.iterdir() if "wal" in path.name) == [
        "seg"
    ]
    with pytest.raises(TrimmedError, match="trimmed"):
        journal.read(0, ALL)
    assert [e.offset for e in journal.read(firsts[3] - 1, ALL)][:1] in ([firsts[3]], [])


def test_trim_keeps_the_minimum_for_replay(open_journal: Open, folder: Path) -> None:
    limits = JournalLimits(
        bytes_max=4 << 20, segment_bytes_max=256 * KIB, replay_bytes_min=700 * KIB
    )
    journal = open_journal(limits)
    fill(Sender(journal, "attic").begin(), folder, 6)
    journal.mark_archived(journal.head()).result(WAIT_S)
    journal.trim()
    assert 2 < len(segments(folder)) < 6
    assert journal.stats().bytes >= 700 * KIB


def test_a_trimmed_journal_opens_again_and_goes_on(open_journal: Open, folder: Path) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    sender.declare(3)
    fill(sender, folder, 3)
    head = journal.head()
    journal.mark_archived(head).result(WAIT_S)
    oldest = journal.trim() + 1
    sender.journal = again = open_journal()
    assert (again.head(), again.archived(), again.stats().oldest) == (head, head, oldest)
    greeting = sender.hello()[0].resume
    assert (greeting.stored, greeting.series_known) == (len(sender.blocks), 3)
    sender.send()
    assert again.head() == head + 1


def test_trimming_takes_nothing_from_the_counts(open_journal: Open, folder: Path) -> None:
    journal = open_journal()
    one, two = Sender(journal, "one").begin(), Sender(journal, "two").begin()
    quiet = [one.send(300).data]
    one.next_epoch()
    fill(two, folder, 4)
    blocks = [stored(data) for data in quiet + [block.data for block in two.blocks]]
    archived = segments(folder)[2] - 1
    journal.mark_archived(archived).result(WAIT_S)
    assert journal.trim() == archived
    for again in (journal, open_journal(), open_journal()):
        assert said(again) == recount(blocks, archived)
        assert total(again.counts().values()).blocks == again.head()


def test_an_append_writes_no_row_but_its_own(open_journal: Open, folder: Path) -> None:
    sender = Sender(open_journal(), "attic").begin()
    sender.send()
    (segment,) = list_segments(folder)
    rows = apsw.Connection(str(segment.path), flags=apsw.SQLITE_OPEN_READONLY)
    before = list(rows.execute("SELECT * FROM cursor"))
    block = sender.send(4000)
    assert list(rows.execute("SELECT * FROM cursor")) == before
    query = "SELECT readings FROM name WHERE offset = 2"
    assert rows.execute(query).get == stored(block.data)[2]
    rows.close()


@pytest.mark.parametrize(("version", "hint"), [(1, "no release wrote it"), (3, "install")])
def test_a_segment_of_another_format_is_an_error_and_left_alone(
    open_journal: Open, folder: Path, version: int, hint: str
) -> None:
    journal = open_journal()
    Sender(journal, "attic").begin().send()
    journal.close()
    (segment,) = list_segments(folder)
    other = apsw.Connection(str(segment.path))
    other.pragma("user_version", version)
    other.close()
    with pytest.raises(StorageError, match=f"format is {version}, this version reads 2") as told:
        SqliteJournal.open(folder, now_us=lambda: 1)
    assert told.value.hint.startswith(hint)
    assert segment.path.exists()


def test_what_a_crash_left_half_built_is_cleared(open_journal: Open, folder: Path) -> None:
    sender = Sender(open_journal(), "attic").begin()
    sender.send()
    for name in ("seg-0000000000000002.db.new", "seg-0000000000000009.db-wal"):
        (folder / name).write_bytes(b"half")
    sender.journal = again = open_journal()
    assert [path.name for path in folder.iterdir() if "2.db" in path.name or "9" in path.name] == []
    sender.hello()
    sender.send()
    assert (again.head(), again.stats().ignored) == (2, ())


@pytest.mark.parametrize("bytes_left", [0, 100, 20_000])
def test_a_torn_newest_segment_that_was_never_used_is_set_aside_and_counted(
    open_journal: Open, folder: Path, bytes_left: int
) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    sender.send()
    journal.close()
    whole = list_segments(folder)[0].path.read_bytes()
    (folder / "seg-0000000000000002.db").write_bytes(whole[:bytes_left])
    sender.journal = again = open_journal()
    assert len(again.stats().ignored) == 1
    assert "seg-0000000000000002" in again.stats().ignored[0]
    assert (folder / "seg-0000000000000002.db.torn").exists()
    assert sender.hello()[0].resume.stored == 1
    sender.send()
    assert again.head() == 2


def test_a_segment_that_was_used_and_is_damaged_is_kept_aside_and_a_generation_begins(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    Sender(journal, "attic").begin().send()
    journal.close()
    newest = list_segments(folder)[-1]
    newest.path.write_bytes(b"\xff" * 100)
    again = open_journal()
    assert (again.head(), again.generation > 1) == (0, True)
    (aside,) = folder.glob("aside-*")
    assert (aside / newest.path.name).read_bytes() == b"\xff" * 100


def test_what_a_missing_segment_held_is_asked_for_again(
    open_journal: Open, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = open_journal()
    fill(Sender(journal, "attic").begin(), folder, 4)
    firsts = segments(folder)
    journal.close()
    list_segments(folder)[1].path.unlink()
    again = open_journal()
    assert f"blocks {firsts[1]} to {firsts[2] - 1} are missing" in caplog.text
    assert again.head() == firsts[1] - 1
    assert again.generation > journal.generation


def test_a_damaged_segment_that_is_archived_is_set_aside_like_a_trimmed_one(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    fill(Sender(journal, "attic").begin(), folder, 3)
    firsts = segments(folder)
    journal.mark_archived(firsts[1] - 1).result(WAIT_S)
    head, generation = journal.head(), journal.generation
    journal.close()
    oldest = list_segments(folder)[0].path
    oldest.write_bytes(b"\xff" * 100)
    again = open_journal()
    assert (again.head(), again.generation) == (head, generation)
    assert again.stats().oldest == firsts[1]
    assert next(folder.glob("aside-*")).joinpath(oldest.name).exists()


def test_a_second_writer_is_refused(open_journal: Open, folder: Path) -> None:
    open_journal()
    with pytest.raises(OperatorError, match="another process"):
        SqliteJournal.open(folder, now_us=lambda: 1)


def test_a_closed_journal_finishes_what_was_asked_and_refuses_the_rest(open_journal: Open) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    sender.make()
    asked: Future[object] = sender.post(1)  # type: ignore[assignment]
    journal.close()
    assert asked.result(0) is not None
    with pytest.raises(StorageError, match="closed"):
        sender.post(1).result(0)
    assert open_journal().head() == 1


def test_a_sealed_segment_is_settled_into_its_file_and_reads_the_same(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    fill(Sender(journal, "attic").begin(), folder, 4)
    before = journal.read(0, ALL)
    again = open_journal()
    again.close()  # waits for the settling under way
    for segment in list_segments(folder)[:-1]:
        assert segment.bytes() == segment.path.stat().st_size, "no log is left beside it"
    assert list_segments(folder)[-1].wal.stat().st_size > 0, "the segment in use keeps its own"
    with JournalReader(folder) as reader:
        assert list(reader.iterate(0, 64 * KIB)) == before


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="below 4 segments"):
        JournalLimits(bytes_max=1 << 20, segment_bytes_max=1 << 20)
