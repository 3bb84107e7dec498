"""When what was read is committed, and that the parts of a commit are all in it."""

import math
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.catalog import Catalog
from edge.chunk import Reject
from edge.detect.found import Found, Occurrence
from edge.gathering import BYTES_ENOUGH, BYTES_MAX, MESSAGES_ENOUGH, WINDOW_MIN, Gathering
from edge.heard import Counts, Heard
from edge.ingest import Inbox, Linger
from edge.message import Message, Messages
from edge.payload.said import ReadingLimits
from edge.reading import Reader
from edge.redelivery import Redelivery
from edge.store.limits import StoreLimits
from edge.store.prepare import prepare_chunk
from protos.records import Batch, Kind, concat, scores
from tests.edge.collect_rig import NOW_US, Rig, detecting, until

LINGER = Linger()
AT_S = 1000.0


def message(number: int, payload: bytes = b"1") -> Message:
    return Message(f"d/{number % 5}", payload, 1, False, False, NOW_US, 1, 1, number)


def messages(count: int, first: int = 1) -> Messages:
    return Messages.of([message(first + n) for n in range(count)])


def part(count: int = 1, cost: int = 0) -> Heard:
    return Heard(Batch({}), (), b"", (), Counts(messages=count), cost=cost)


def gathered(*counts: int, cost: int = 0, at_s: float = AT_S) -> Gathering:
    made = Gathering()
    for count in counts:
        made.add(part(count, cost), None, messages(count), at_s)
    return made


def test_nothing_gathered_is_never_due() -> None:
    empty = Gathering()
    assert empty.due_s(LINGER, steady=True) == empty.until_s(LINGER, steady=False) == math.inf


def test_looks_of_a_steady_stream_share_a_commit_and_no_pause_keeps_one_waiting() -> None:
    one = gathered(60)
    assert one.due_s(LINGER, steady=True) == AT_S + LINGER.gather_s
    assert one.until_s(LINGER, steady=True) == AT_S + LINGER.max_s


def test_a_broker_that_waits_for_us_is_waited_for_once() -> None:
    one = gathered(20, 12)
    one.dried_up()
    one.take(AT_S)
    one.add(part(32), None, messages(32), AT_S + 1)
    assert one.due_s(LINGER, steady=True) == one.until_s(LINGER, steady=True) == AT_S + 1
    one.add(part(1), None, messages(1), AT_S + 1)
    assert one.due_s(LINGER, steady=True) > AT_S + 1, "more came: nobody waits"


def test_a_few_sensors_that_pause_are_no_broker_that_waits() -> None:
    one = gathered(3)
    one.dried_up()
    assert one.due_s(LINGER, steady=True) == AT_S + LINGER.gather_s


def test_a_stream_that_brings_nothing_more_in_time_is_committed_at_once() -> None:
    assert gathered(1).due_s(LINGER, steady=False) == AT_S
    assert gathered(1).until_s(LINGER, steady=False) == AT_S


def test_a_broker_that_waits_for_acknowledgements_gets_them_at_once() -> None:
    window = replace(LINGER, enough_max=10)
    assert gathered(9).due_s(window, steady=True) > AT_S
    assert gathered(9, 1).due_s(window, steady=True) == AT_S
    assert gathered(9, 1).until_s(window, steady=True) == AT_S


@pytest.mark.parametrize(("count", "cost"), [(MESSAGES_ENOUGH, 0), (1, BYTES_ENOUGH)])
def test_plenty_waits_for_nothing_not_even_for_the_card(count: int, cost: int) -> None:
    plenty = gathered(1)
    plenty.take(AT_S)
    plenty.add(part(count, cost), None, messages(count), AT_S)
    assert plenty.due_s(LINGER.on_card(4.0), steady=True) == AT_S


def test_a_slow_card_is_left_alone_for_twice_its_time_after_each_commit() -> None:
    slow = LINGER.on_card(0.1)
    again = gathered(1)
    again.take(AT_S)
    for steady, window in ((False, LINGER.enough_max), (True, 1)):
        again.add(part(), None, messages(1), AT_S + 0.01)
        due_s = again.due_s(replace(slow, enough_max=window), steady=steady)
        assert due_s == pytest.approx(AT_S + 0.2)
        again.take(AT_S)


@given(
    parts=st.lists(st.tuples(st.integers(1, 300), st.integers(0, BYTES_MAX)), min_size=1),
    max_s=st.floats(0.001, 60),
    commit_s=st.floats(0, 10),
    window=st.integers(1, 4000),
    steady=st.booleans(),
)
def test_no_part_waits_longer_than_the_settings_say_but_for_the_card(
    parts: list[tuple[int, int]], max_s: float, commit_s: float, window: int, steady: bool
) -> None:
    linger = replace(Linger(min_s=0.001, max_s=max_s).on_card(commit_s), enough_max=window)
    made = Gathering()
    made.take(AT_S)
    for number, (count, cost) in enumerate(parts):
        if made.takes(part(count, cost)):
            made.add(part(count, cost), None, messages(count), AT_S + number)
    due_s, until_s = (told(linger, steady=steady) for told in (made.due_s, made.until_s))
    assert due_s <= until_s <= AT_S + linger.max_s + 1e-9
    assert len(made) == 1 or made._bytes <= BYTES_MAX


def test_two_that_are_too_much_for_one_chunk_are_not_put_together() -> None:
    half = gathered(1, cost=BYTES_MAX // 2)
    assert half.takes(part(1, BYTES_MAX // 2))
    assert not half.takes(part(1, BYTES_MAX // 2 + 1))
    assert Gathering().takes(part(1, BYTES_MAX + 1)), "one always fits"
    assert ReadingLimits().message_bytes_max <= BYTES_MAX <= ReadingLimits().batch_bytes


@given(st.lists(st.lists(st.sampled_from([b"1", b'{"x":2,"y":"on"}', b"\xff"]), max_size=9)))
def test_a_commit_holds_all_that_its_parts_hold_in_their_order(looks: list[list[bytes]]) -> None:
    catalog = Catalog(salt=lambda: bytes(16))
    reader, made = Reader(catalog, Redelivery(bytes(32))), Gathering()
    told: list[Heard] = []
    for number, payloads in enumerate(looks):
        came = Messages.of([message(9 * number + n + 1, p) for n, p in enumerate(payloads)])
        if len(came):
            told.append(reader.read(came))
            found = Found(scores([1], [number], [1.0], [2.0], [1.5], ["m"]))
            made.add(told[-1], found if number % 2 else None, came, AT_S)
    if not told:
        assert len(made) == 0
        return
    chunk, taken = made.take(AT_S)
    assert concat([one.batch for one in told]).same_as(
        Batch({kind: rows for kind, rows in chunk.batch.tables.items() if kind != Kind.SCORES})
    )
    odd = [n for n, payloads in enumerate(looks) if payloads and n % 2]
    assert chunk.batch.kind(Kind.SCORES)["ts"].tolist() == odd
    assert [e.entry for e in chunk.new_entries] == list(range(1, len(chunk.new_entries) + 1))
    assert chunk.marks == b"".join(one.marks for one in told)
    rejects: list[Reject] = [reject for one in told for reject in one.rejects]
    assert list(chunk.rejects) == rejects
    assert chunk.counters.get("messages") == len(taken) == sum(map(len, looks))
    assert chunk.counters.get("anomalies", 0) == len(odd)
    assert taken.packet_ids == [9 * n + k + 1 for n, p in enumerate(looks) for k in range(len(p))]
    assert sum(burst.count for burst in taken.bursts) == len(taken)
    assert len(made) == len(made.messages) == 0


@given(st.lists(st.binary(max_size=600) | st.text(max_size=200).map(str.encode), max_size=60))
def test_what_a_batch_costs_is_no_less_than_what_it_takes_in_the_buffer(
    payloads: Sequence[bytes],
) -> None:
    reader = Reader(Catalog(salt=lambda: bytes(16)), Redelivery(bytes(32)))
    heard = reader.read([message(n + 1, payload) for n, payload in enumerate(payloads)])
    assert prepare_chunk(heard.as_chunk(), StoreLimits()).size <= heard.cost + 1024


def steady_inbox() -> Inbox:
    """One that has learnt that much comes."""
    inbox = Inbox()
    for _ in range(40):
        inbox.extend(messages(100))
        inbox.take(Linger(0.0001, 0.0001))
    return inbox


class Steady(Inbox):
    """One that expects more however long this machine kept us waiting, and knows no rate."""

    def is_steady(self, linger: Linger) -> bool:
        return True


def test_a_take_that_is_waited_for_ends_in_time_with_nothing() -> None:
    assert len(Inbox().take(LINGER, 0.0)) == 0
    inbox = Steady()
    inbox.put(message(1))
    taken: list[int] = []
    thread = threading.Thread(
        target=lambda: taken.append(len(inbox.take(Linger(0.001, 600, enough=200), 0.0))),
        daemon=True,
    )
    thread.start()
    thread.join(10)
    inbox.close()
    assert taken == [1]


def test_looks_are_scored_at_once_and_committed_and_acknowledged_together() -> None:
    told: list[Occurrence] = []
    rig = Rig(
        inbox=steady_inbox(),
        linger=Linger(min_s=0.001, max_s=600, enough=1, enough_s=0.0, gather_s=600),
        detector=detecting(),
        on_episodes=lambda found: told.extend(found),
    )
    rig.collect.start()
    sent = []
    for number in range(3):
        sent.append(rig.send(b"%d" % (200 + number), topic=f"{number}/t"))
        until(lambda n=number: len(told) == n + 1, "its episode was not told")  # type: ignore[misc]
    assert (rig.store.offered, rig.ingest.acked) == ([], [])
    assert rig.collect.finish()
    assert rig.ingest.acked == sent
    kept, last = rig.store.kept
    assert kept.batch.kind(Kind.NUMBERS)["value"].tolist() == [200.0, 201.0, 202.0]
    assert kept.batch.count(Kind.SCORES) == kept.counters["anomalies"] == 3
    open_ones = [name for name, _ in last.kept if name.startswith("episode ")]
    assert (last.batch.rows, len(open_ones)) == (0, 3), "what is open is kept for the next run"


def test_a_stream_that_pauses_is_committed_and_acknowledged_without_another_message() -> None:
    rig = Rig(
        inbox=steady_inbox(),
        linger=Linger(min_s=0.001, max_s=0.05, enough=1, enough_s=0.0, gather_s=0.04),
    )
    rig.collect.start()
    number = rig.send(b"1")
    until(lambda: rig.ingest.acked == [number], "it waits for a message that does not come")
    assert rig.collect.stop()


def test_a_broker_that_waited_for_us_gets_its_acknowledgements_at_once_from_then_on() -> None:
    quick = Linger(min_s=0.001, max_s=0.05, enough=1, enough_s=0.0, gather_s=0.04)
    rig = Rig(inbox=Steady(), linger=quick)
    rig.ingest.state = replace(rig.ingest.state, window=1000)
    rig.inbox.extend(messages(WINDOW_MIN))
    rig.collect.start()
    until(lambda: len(rig.ingest.acked) == WINDOW_MIN, "the pause did not end in a commit")
    rig.collect._linger = replace(quick, max_s=600, gather_s=600)
    rig.inbox.extend(messages(WINDOW_MIN, 1 + WINDOW_MIN))
    until(lambda: len(rig.ingest.acked) == 2 * WINDOW_MIN, "as many again were waited for")
    assert rig.collect.stop()


def test_a_copy_is_gathered_with_its_original_and_acknowledged_with_it() -> None:
    rig = Rig(
        inbox=steady_inbox(),
        linger=Linger(min_s=0.001, max_s=600, enough=1, enough_s=0.0, gather_s=600),
    )
    rig.collect.start()
    rig.send(b"21.5")
    until(lambda: len(rig.catalog) == 1, "it was not read")
    rig.send(b"21.5", packet_id=1, session=2, dup=True)
    assert rig.collect.finish()
    assert rig.ingest.acked == [1, 1]
    (kept,) = rig.store.kept
    assert kept.batch.count(Kind.NUMBERS) == 1
    assert (kept.counters["accepted"], kept.counters["collapsed"]) == (1, 1)


def test_what_is_gathered_when_it_is_stopped_is_not_acknowledged() -> None:
    rig = Rig(
        inbox=steady_inbox(),
        linger=Linger(min_s=0.001, max_s=600, enough=1, enough_s=0.0, gather_s=600),
    )
    rig.collect.start()
    rig.send(b"1")
    until(lambda: len(rig.catalog) == 1, "it was not read")
    assert rig.collect.stop()
    assert (rig.store.offered, rig.ingest.acked) == ([], [])


def test_a_full_window_is_acknowledged_though_the_broker_sends_no_more() -> None:
    rig = Rig(
        inbox=steady_inbox(),
        linger=Linger(min_s=0.001, max_s=600, enough=1, enough_s=0.0, gather_s=600),
    )
    rig.ingest.state = replace(rig.ingest.state, window=8)
    rig.collect.start()
    sent = [rig.send(b"%d" % number) for number in range(4)]
    until(lambda: rig.ingest.acked == sent, "half of the window was not enough")
    assert rig.collect.stop()
