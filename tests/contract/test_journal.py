"""What every journal promises, whatever it stands on."""

import threading
from collections.abc import Callable, Sequence

import pytest

from cloud.journal.contract import Entry, Journal
from cloud.journal.cursor import Alarm, Cursor
from protos import sync_pb2 as pb
from protos.block import read_header
from tests.contract.sender import WAIT_S, Sender

Open = Callable[[], Journal]
ALL = 1 << 40


def resume(journal: Journal, sender: Sender) -> pb.Resume:
    """Let the same gateway meet a journal opened anew."""
    sender.journal = journal
    return sender.hello()[0].resume


def test_an_acknowledged_block_is_read_back_byte_for_byte(journal: Journal) -> None:
    block = Sender(journal, "attic").begin().send()
    (entry,) = journal.read(0, ALL)
    assert (entry.offset, entry.gateway, entry.epoch, entry.seq) == (1, "attic", 1, 1)
    assert (entry.hash, entry.data) == (block.hash, block.data)
    assert entry.stored_us > 0
    assert journal.head() == 1


def test_an_empty_journal_has_head_zero_and_nothing_to_read(journal: Journal) -> None:
    assert (journal.head(), journal.archived(), journal.read(0, ALL)) == (0, 0, [])
    assert journal.cursors() == []
    assert journal.series("nobody", 1) == []


def test_offsets_have_no_hole_over_all_gateways(journal: Journal) -> None:
    senders = [Sender(journal, name).begin() for name in ("a", "b", "c")]
    for _ in range(4):
        for sender in senders:
            sender.send()
    assert [entry.offset for entry in journal.read(0, ALL)] == list(range(1, 13))


def test_a_block_sent_twice_is_acknowledged_twice_and_stored_once(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    sender.send()
    sender.send()
    for seq in (1, 2, 1):
        decision = sender.post(seq).result(WAIT_S)
        assert decision.replies[0].ack.stored == 2
        assert not decision.append
    assert journal.head() == 2


def test_the_same_block_twice_in_one_commit_is_stored_once(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    sender.make()
    answers = [sender.post(1) for _ in range(20)]
    assert [one.result(WAIT_S).replies[0].ack.stored for one in answers] == [1] * 20
    assert journal.head() == 1


def test_a_block_beyond_the_next_is_asked_for_again_from_there(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    sender.send()
    sender.make()
    sender.make()
    assert sender.post(3).result(WAIT_S).replies[0].resend.from_seq == 2
    assert journal.head() == 1


def test_another_block_in_a_stored_place_is_a_fork_and_ends_the_stream(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    kept = sender.send()
    sender.blocks.clear()
    sender.make(mark=1)
    decision = sender.post(1).result(WAIT_S)
    assert (decision.alarm, decision.ends) == (Alarm.FORK, True)
    assert decision.replies[0].fault.code == pb.FORK
    assert [entry.hash for entry in journal.read(0, ALL)] == [kept.hash]


def test_the_next_block_on_another_past_is_a_fork(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    sender.send()
    sender.blocks.clear()
    sender.make(mark=1)
    sender.make()
    assert sender.post(2).result(WAIT_S).alarm is Alarm.FORK
    assert journal.head() == 1


def test_an_older_session_is_fenced_and_stores_nothing(journal: Journal) -> None:
    old = Sender(journal, "attic").begin()
    new = Sender(journal, "attic")
    new.epoch = old.epoch
    new.hello()
    assert new.session == old.session + 1
    old.make()
    decision = old.post(1).result(WAIT_S)
    assert decision.replies[0].fault.code == pb.FENCED
    assert decision.ends
    assert journal.head() == 0


def test_bytes_that_are_no_block_are_refused_and_the_journal_goes_on(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    garbage = journal.append("attic", sender.session, 1, 1, b"no block").result(WAIT_S)
    assert garbage.replies[0].fault.code == pb.MALFORMED
    assert garbage.ends
    sender.send()
    assert journal.head() == 1


def test_a_flipped_bit_on_the_way_is_refused(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    data = bytearray(sender.make(4096).data)
    data[-100] ^= 1
    decision = journal.append("attic", sender.session, 1, 1, bytes(data)).result(WAIT_S)
    assert decision.replies[0].fault.code == pb.MALFORMED
    assert journal.head() == 0


def test_declared_series_are_held_in_their_order(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    sender.declare(3)
    decision = sender.declare(2)
    assert decision.replies[0].ack.series_known == 5
    sender.send()
    assert journal.series("attic", 1) == sender.series
    assert journal.series("attic", 1, 3) == sender.series[3:]
    assert journal.series("attic", 1, 5) == []


def test_a_block_that_needs_undeclared_series_is_not_stored(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    sender.declare(1)
    other = Sender(journal, "attic")
    other.session, other.epoch = sender.session, 1
    other.series, other.root = [*sender.series, *sender.series], sender.root
    other.make()
    assert not other.post(1).result(WAIT_S).append
    assert journal.head() == 0


def test_a_new_epoch_starts_at_one_and_the_old_one_stays_readable(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    sender.declare(2)
    sender.send()
    old = sender.series
    assert sender.next_epoch().previous_epoch == 1
    sender.declare(1)
    sender.send()
    assert [(entry.epoch, entry.seq) for entry in journal.read(0, ALL)] == [(1, 1), (2, 1)]
    assert journal.series("attic", 1) == old
    assert journal.series("attic", 2) == sender.series


def test_a_rewound_gateway_is_told_which_chunks_are_held_above_its_head(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    blocks = [sender.send() for _ in range(5)]
    sender.blocks = sender.blocks[:2]
    replies = sender.hello()
    grant = replies[1].epoch_grant
    assert (grant.epoch, grant.previous_epoch) == (2, 1)
    expected = {n for b in blocks[2:] for n in ids(read_header(b.data)[0].chunks)}
    assert {n for n in ids(grant.stored_chunks) if n in expected} == expected


def ids(runs: Sequence[object]) -> set[int]:
    return {n for run in runs for n in range(run.first, run.first + run.count)}  # type: ignore[attr-defined]


def test_reading_can_begin_anywhere_and_is_bounded_by_bytes(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    size = len(sender.send(4000).data)
    for _ in range(9):
        sender.send(4000)
    for after in range(11):
        assert [e.offset for e in journal.read(after, ALL)] == list(range(after + 1, 11))
    assert [entry.offset for entry in journal.read(3, int(2.5 * size))] == [4, 5]
    assert [entry.offset for entry in journal.read(3, 1)] == [4]


def test_archived_rises_for_every_gateway_behind_the_offset(journal: Journal) -> None:
    one, two = Sender(journal, "one").begin(), Sender(journal, "two").begin()
    for sender in (one, two, one, two, one):
        sender.send()
    told: list[Cursor] = []
    stop = journal.subscribe_archived(told.extend)
    journal.mark_archived(3).result(WAIT_S)
    assert {cursor.gateway: cursor.archived for cursor in told} == {"one": 2, "two": 1}
    assert {cursor.gateway: cursor.archived for cursor in journal.cursors()} == {"one": 2, "two": 1}
    told.clear()
    journal.mark_archived(4).result(WAIT_S)
    assert {cursor.gateway: cursor.archived for cursor in told} == {"two": 2}
    stop()
    journal.mark_archived(5).result(WAIT_S)
    assert len(told) == 1
    assert journal.archived() == 5


def test_archived_never_falls_and_never_passes_the_head(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    sender.send()
    sender.send()
    journal.mark_archived(2).result(WAIT_S)
    journal.mark_archived(1).result(WAIT_S)
    assert (journal.archived(), journal.cursors()[0].archived) == (2, 2)
    with pytest.raises(ValueError, match="3"):
        journal.mark_archived(3).result(WAIT_S)
    assert journal.archived() == 2


def test_an_epoch_that_has_ended_is_still_archived(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    sender.send()
    sender.next_epoch()
    sender.send()
    journal.mark_archived(2).result(WAIT_S)
    (cursor,) = journal.cursors()
    assert (cursor.closed[0].archived, cursor.archived) == (1, 1)


def test_opened_again_it_stands_where_it_stood(open_journal: Open) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    sender.declare(3)
    for _ in range(3):
        sender.send()
    journal.mark_archived(2).result(WAIT_S)
    generation, cursors, entries = journal.generation, journal.cursors(), journal.read(0, ALL)
    again = open_journal()
    assert (again.generation, again.cursors(), again.read(0, ALL)) == (generation, cursors, entries)
    assert (again.head(), again.archived()) == (3, 2)
    assert again.series("attic", 1) == sender.series
    greeting = resume(again, sender)
    assert (greeting.stored, greeting.archived, greeting.series_known) == (3, 2, 3)
    assert greeting.generation == generation
    assert sender.post(2).result(WAIT_S).replies[0].ack.stored == 3
    sender.send()
    assert [entry.offset for entry in again.read(3, ALL)] == [4]


def test_a_session_number_is_never_given_twice(open_journal: Open) -> None:
    sender = Sender(open_journal(), "attic")
    sessions = []
    for _ in range(3):
        sender.hello()
        sessions.append(sender.session)
        sender.journal = open_journal()
    assert sessions == [1, 2, 3]


def test_subscribers_see_every_block_once_in_order(journal: Journal) -> None:
    seen: list[Entry] = []
    all_seen = threading.Event()

    def callback(entries: Sequence[Entry]) -> None:
        seen.extend(entries)
        if len(seen) == 40:
            all_seen.set()

    Sender(journal, "early").begin().send()
    stop = journal.subscribe(callback)
    send_from_many(journal, gateways=4, blocks=10)
    assert all_seen.wait(WAIT_S)
    stop()
    assert [entry.offset for entry in seen] == list(range(2, 42))
    assert seen == journal.read(1, ALL)


def test_many_gateways_at_once_lose_and_double_nothing(journal: Journal) -> None:
    send_from_many(journal, gateways=16, blocks=25)
    entries = journal.read(0, ALL)
    assert [entry.offset for entry in entries] == list(range(1, 401))
    for number in range(16):
        mine = [entry.seq for entry in entries if entry.gateway == f"gw-{number}"]
        assert mine == list(range(1, 26))


def send_from_many(journal: Journal, gateways: int, blocks: int) -> None:
    def stream(number: int) -> None:
        sender = Sender(journal, f"gw-{number}").begin()
        for _ in range(blocks):
            sender.send()

    threads = [threading.Thread(target=stream, args=(n,)) for n in range(gateways)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_what_is_trimmed_is_told(journal: Journal) -> None:
    assert journal.trim() == 0
