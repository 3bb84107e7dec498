"""What is SQLite's own: rotation, bounds, readers, quarantine. The rest: tests/contract."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cloud.journal.contract import Entry, JournalOverloadedError
from cloud.journal.sqlite.quarantine import Cause
from cloud.journal.sqlite.reader import JournalReader
from cloud.journal.sqlite.writer import JournalFullError, JournalLimits
from tests.contract.segmented import ALL, KIB, Open, fill, opener, segments
from tests.contract.sender import WAIT_S, Sender


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def open_journal(folder: Path) -> Iterator[Open]:
    yield from opener(folder)


def test_full_segments_are_followed_by_new_ones_without_a_hole(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    fill(Sender(journal, "attic").begin(), folder, 4)
    offsets = [entry.offset for entry in journal.read(0, ALL)]
    assert offsets == list(range(1, journal.head() + 1))
    assert set(segments(folder)) <= {1, *offsets, journal.head() + 1}


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


def test_archived_moves_over_several_segments_at_once(open_journal: Open, folder: Path) -> None:
    journal = open_journal()
    one, two = Sender(journal, "one").begin(), Sender(journal, "two").begin()
    one.send()
    fill(two, folder, 4)
    one.send()
    journal.mark_archived(journal.head() - 1).result(WAIT_S)
    archived = {cursor.gateway: cursor.archived for cursor in journal.cursors()}
    assert archived == {"one": 1, "two": len(two.blocks)}


def test_one_mark_moves_archived_over_more_segments_than_are_kept_open(
    open_journal: Open, folder: Path
) -> None:
    limits = JournalLimits(bytes_max=16 << 20, segment_bytes_max=64 * KIB)
    journal = open_journal(limits)
    sender = Sender(journal, "gw").begin()
    sender.declare()
    fill(sender, folder, 13)
    journal.mark_archived(journal.head()).result(WAIT_S)
    assert journal.archived() == journal.head()
    assert journal.cursors()[0].archived == len(sender.blocks)
    assert journal.failure is None


def test_chunks_above_a_rewound_head_are_found_through_sealed_segments(
    open_journal: Open, folder: Path
) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    fill(sender, folder, 4)
    made = sender.chunk
    sender.blocks = sender.blocks[:1]
    (run,) = sender.hello()[1].epoch_grant.stored_chunks
    assert (run.first, run.count) == (2, made - 1), "neighbours are named as one run"
