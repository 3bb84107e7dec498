"""What is SQLite's own: files, fsync order, crashes, a full disk. The rest is in tests/contract."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import apsw
import pytest

from cloud.errors import OperatorError, StorageError
from cloud.journal import Entry, JournalOverloadedError
from cloud.journal_quarantine import Cause
from cloud.journal_reader import JournalReader, TrimmedError
from cloud.journal_segment import list_segments
from cloud.journal_sqlite import SqliteJournal
from cloud.journal_writer import JournalFullError, JournalLimits
from tests.contract.sender import WAIT_S, Sender

KIB = 1024
ALL = 1 << 40
SMALL = JournalLimits(bytes_max=4 << 20, segment_bytes_max=256 * KIB)

Open = Callable[..., SqliteJournal]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def open_journal(folder: Path) -> Iterator[Open]:
    """Opens the same folder again and again, closing what was opened before."""
    opened: list[SqliteJournal] = []
    clock = iter(range(1_700_000_000_000_000, 1 << 62, 1000))

    def open_again(limits: JournalLimits = SMALL) -> SqliteJournal:
        if opened:
            opened.pop().close()
        opened.append(SqliteJournal.open(folder, now_us=lambda: next(clock), limits=limits))
        return opened[0]

    yield open_again
    for journal in opened:
        journal.close()


def segments(folder: Path) -> list[int]:
    return [segment.first for segment in list_segments(folder)]


def fill(sender: Sender, folder: Path, count: int) -> None:
    """Send blocks until the journal has `count` segments."""
    while len(segments(folder)) < count:
        sender.send(16 * KIB)


def test_full_segments_are_followed_by_new_ones_without_a_hole(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    fill(Sender(journal, "attic").begin(), folder, 4)
    offsets = [entry.offset for entry in journal.read(0, ALL)]
    assert offsets == list(range(1, journal.head() + 1))
    assert set(segments(folder)) <= {1, *offsets, journal.head() + 1}


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
    assert journal.series("quiet", 2) == quiet.series


def test_duplicates_of_a_sealed_segment_are_still_told_from_a_fork(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    first = sender.send()
    fill(sender, folder, 3)
    assert sender.post(1).result(WAIT_S).replies[0].ack.stored == len(sender.blocks)
    later = sender.blocks[1:]
    sender.blocks = []
    forged = sender.make(mark=1)
    sender.blocks += later
    assert forged.hash != first.hash
    assert sender.post(1).result(WAIT_S).replies[0].HasField("fault")


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


def test_a_full_journal_refuses_blocks_until_archiving_makes_room(
    open_journal: Open, folder: Path
) -> None:
    limits = JournalLimits(bytes_max=1 << 20, segment_bytes_max=256 * KIB)
    journal = open_journal(limits)
    sender = Sender(journal, "attic").begin()
    refusal: BaseException | None = None
    while refusal is None:
        sender.make(16 * KIB)
        refusal = sender.post(len(sender.blocks)).exception(WAIT_S)
    assert isinstance(refusal, JournalFullError)
    assert isinstance(refusal, JournalOverloadedError), "ingest need not know this one"
    assert journal.stats().bytes <= limits.bytes_max + 256 * KIB
    sender.blocks.pop()
    sender.hello()  # a full journal still greets
    journal.mark_archived(journal.head()).result(WAIT_S)
    assert journal.trim() > 0
    sender.send(16 * KIB)
    assert journal.failure is None


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


def test_a_segment_that_was_used_and_is_damaged_is_an_error_and_never_dropped(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    Sender(journal, "attic").begin().send()
    journal.close()
    newest = list_segments(folder)[-1]
    newest.path.write_bytes(b"\xff" * 100)
    with pytest.raises(StorageError, match="has been in use"):
        SqliteJournal.open(folder, now_us=lambda: 1)
    assert newest.path.exists()


def test_a_missing_segment_is_an_error_that_names_the_blocks(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    fill(Sender(journal, "attic").begin(), folder, 4)
    firsts = segments(folder)
    journal.close()
    list_segments(folder)[1].path.unlink()
    with pytest.raises(StorageError, match=f"blocks {firsts[1]} to {firsts[2] - 1} are missing"):
        SqliteJournal.open(folder, now_us=lambda: 1)


def test_a_second_writer_is_refused(open_journal: Open, folder: Path) -> None:
    open_journal()
    with pytest.raises(OperatorError, match="another process"):
        SqliteJournal.open(folder, now_us=lambda: 1)


def test_readers_follow_the_writer_through_rotations(open_journal: Open, folder: Path) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    done = threading.Event()
    seen: list[list[int]] = [[], []]

    def follow(offsets: list[int]) -> None:
        with JournalReader(folder) as reader:
            while not (done.is_set() and len(offsets) == journal.head()):
                offsets.extend(entry.offset for entry in reader.iterate(len(offsets), 64 * KIB))

    threads = [threading.Thread(target=follow, args=(offsets,)) for offsets in seen]
    for thread in threads:
        thread.start()
    fill(sender, folder, 4)
    done.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert seen == [list(range(1, journal.head() + 1))] * 2


def test_a_slow_subscriber_neither_holds_the_writer_nor_misses_a_block(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal(JournalLimits())
    held, seen, all_seen = threading.Event(), list[int](), threading.Event()

    def slow(entries: Sequence[Entry]) -> None:
        held.wait(WAIT_S)
        seen.extend(entry.offset for entry in entries)
        if len(seen) == 24:
            all_seen.set()

    stop = journal.subscribe(slow)
    sender = Sender(journal, "attic").begin()
    for _ in range(24):
        sender.send(512 * KIB)  # 12 MB: more than a subscription may keep in memory
    held.set()
    assert all_seen.wait(WAIT_S)
    stop()
    assert seen == list(range(1, 25))


def test_poison_is_set_apart_with_its_reason_and_outlives_its_segment(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    block = sender.send()
    journal.quarantine(1, "column 3 is short")
    journal.quarantine(1, "column 4 is short")
    fill(sender, folder, 2)
    journal.mark_archived(journal.head()).result(WAIT_S)
    assert journal.trim() > 0
    (kept,) = open_journal().quarantined()
    assert (kept.cause, kept.offset, kept.hash) == (Cause.POISON, 1, block.hash)
    assert (kept.attempts, kept.reason, kept.bytes) == (2, "column 4 is short", len(block.data))


def test_the_losing_block_of_a_fork_is_kept(open_journal: Open) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    sender.send()
    sender.blocks.clear()
    loser = sender.make(mark=1)
    assert sender.post(1).result(WAIT_S).ends
    (kept,) = journal.quarantined()
    assert (kept.cause, kept.offset, kept.hash) == (Cause.FORK, 0, loser.hash)


def test_a_full_queue_refuses_and_takes_nothing(open_journal: Open) -> None:
    limits = JournalLimits(queue_bytes_max=64 * KIB)
    journal = open_journal(limits)
    sender = Sender(journal, "attic").begin()
    sender.make(128 * KIB)
    with pytest.raises(JournalOverloadedError, match="the disk lags"):
        sender.post(1).result(WAIT_S)
    sender.blocks.pop()
    sender.send(1 * KIB)
    assert journal.head() == 1


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
