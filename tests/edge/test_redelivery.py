from collections import Counter, deque
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.chunk import MARK_BYTES
from edge.message import Message, Messages
from edge.redelivery import Redelivery

KEY = bytes(range(32))


def message(
    payload: bytes = b"21.5",
    *,
    session: int = 1,
    packet_id: int = 1,
    dup: bool = False,
    qos: int = 1,
    topic: str = "d/m",
) -> Message:
    return Message(topic, payload, qos, False, dup, 0, 1, session, packet_id)


def repeats(filter_: Redelivery, one: Message, *, dated: bool) -> bool:
    filter_.begin(one.session)
    head = Messages.of([one]).heads[0]
    marker = filter_.marker(one.topic)
    return filter_.repeats(marker, one.payload, head, one.packet_id, dated=dated)


def test_equal_values_never_collapse_within_a_connection() -> None:
    filter_ = Redelivery(KEY)
    for packet_id in (1, 2, 1, 1):
        assert not repeats(filter_, message(packet_id=packet_id, dup=True), dated=False)
        assert not repeats(filter_, message(b"{ts}", packet_id=packet_id), dated=True)
    assert len(filter_.take_marks()) == 8 * MARK_BYTES


def test_a_copy_after_a_reconnect_collapses_once() -> None:
    filter_ = Redelivery(KEY)
    repeats(filter_, message(packet_id=7), dated=False)
    filter_.take_marks()
    assert repeats(filter_, message(packet_id=7, session=2, dup=True), dated=False)
    assert filter_.take_marks() == b""
    assert not repeats(filter_, message(packet_id=7, session=2, dup=True), dated=False)


def test_a_copy_collapses_again_when_its_acknowledgement_is_lost_again() -> None:
    filter_ = Redelivery(KEY)
    repeats(filter_, message(), dated=False)
    for session in (2, 3, 4):
        assert repeats(filter_, message(session=session, dup=True), dated=False)


def test_an_equal_value_without_dup_is_a_new_reading() -> None:
    filter_ = Redelivery(KEY)
    repeats(filter_, message(), dated=False)
    assert not repeats(filter_, message(session=2), dated=False)


def test_a_dated_payload_collapses_whatever_its_dup_flag_and_packet_id() -> None:
    filter_ = Redelivery(KEY)
    repeats(filter_, message(b"{ts}", packet_id=3), dated=True)
    assert repeats(filter_, message(b"{ts}", packet_id=9, session=2), dated=True)


def test_an_uncommitted_equal_value_is_not_taken_for_a_committed_one() -> None:
    filter_ = Redelivery(KEY)
    for packet_id in (1, 2, 3):  # the broker has heard of 1 and 2; 4 to 6 were never committed
        repeats(filter_, message(packet_id=packet_id), dated=False)
    again = [message(packet_id=n, session=2, dup=True) for n in range(3, 7)]
    assert [repeats(filter_, copy, dated=False) for copy in again] == [True, False, False, False]


def test_what_one_broker_sent_is_no_copy_of_what_another_did() -> None:
    filter_ = Redelivery(KEY)
    copy = message(packet_id=7, session=2, dup=True)
    repeats(filter_, message(packet_id=7), dated=False)
    marks = filter_.take_marks()
    for one in (filter_, Redelivery(KEY, marks)):
        one.begin(2, "hall")
        head = Messages.of([copy]).heads[0]
        assert not one.repeats(one.marker("d/m"), copy.payload, head, 7, dated=False)
        assert not one.repeats(one.marker("d/m"), b"{ts}", head, 8, dated=True)
        assert repeats(one, copy, dated=False)
        one.begin(3, "hall")
        assert one.repeats(one.marker("d/m"), copy.payload, head, 7, dated=False)


def test_a_busy_broker_does_not_push_out_what_another_may_send_again() -> None:
    filter_ = Redelivery(KEY, messages_max=10)
    repeats(filter_, message(packet_id=7), dated=False)
    filter_.begin(1, "hall")
    for packet_id in range(1, 100):
        filter_.repeats(filter_.marker("d/m"), b"21.5", 2, packet_id, dated=False)
        filter_.take_marks()
    assert repeats(filter_, message(packet_id=7, session=2, dup=True), dated=False)


def test_another_topic_with_the_same_bytes_is_no_copy() -> None:
    filter_ = Redelivery(KEY)
    repeats(filter_, message(b"m21", topic="d/"), dated=True)
    assert not repeats(filter_, message(b"21", topic="d/m", session=2), dated=True)


def test_qos_0_is_never_sent_again_and_never_marked() -> None:
    filter_ = Redelivery(KEY)
    repeats(filter_, message(qos=0), dated=True)
    assert not repeats(filter_, message(qos=0, session=2), dated=True)
    assert filter_.take_marks() == b""


def test_marks_survive_a_restart_and_tell_nothing_without_the_key() -> None:
    first = Redelivery(KEY)
    repeats(first, message(), dated=False)
    marks = first.take_marks()
    assert repeats(Redelivery(KEY, marks), message(dup=True), dated=False)
    assert not repeats(Redelivery(bytes(32), marks), message(dup=True), dated=False)


def test_what_left_the_horizon_no_longer_collapses() -> None:
    filter_ = Redelivery(KEY, messages_max=3)
    for number in range(4):
        repeats(filter_, message(b"%d" % number), dated=True)
    assert not repeats(filter_, message(b"0", session=2), dated=True)
    assert repeats(filter_, message(b"3", session=2), dated=True)
    for number in range(10, 13):
        repeats(filter_, message(b"%d" % number, session=2), dated=True)
    assert not repeats(filter_, message(b"2", session=2), dated=True), "pushed out meanwhile"


def test_a_horizon_of_nothing_switches_the_filter_off() -> None:
    filter_ = Redelivery(KEY, messages_max=0)
    repeats(filter_, message(b"x"), dated=True)
    assert not repeats(filter_, message(b"x", session=2), dated=True)
    assert filter_.take_marks() == b""


@pytest.mark.parametrize(("key", "marks"), [(b"short", b""), (KEY, b"odd"), (bytes(65), b"")])
def test_keys_and_marks_of_a_wrong_size_are_errors(key: bytes, marks: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        Redelivery(key, marks)


@dataclass
class Broker:
    """A session that keeps what is not acknowledged, as MQTT says, with a window and packet ids."""

    window: int = 8
    packet_ids: int = 32
    waiting: deque[bytes] = field(default_factory=deque)
    flying: list[tuple[int, bytes]] = field(default_factory=list)
    wire: deque[Message] = field(default_factory=deque)
    session: int = 1
    next_id: int = 0

    def send(self) -> None:
        while self.waiting and len(self.flying) < self.window:
            self.next_id = self.next_id % self.packet_ids + 1
            payload = self.waiting.popleft()
            self.flying.append((self.next_id, payload))
            self.wire.append(message(payload, session=self.session, packet_id=self.next_id))

    def acknowledged(self, session: int, packet_id: int) -> None:
        if session == self.session:
            self.flying = [sent for sent in self.flying if sent[0] != packet_id]

    def reconnect(self) -> None:
        self.session += 1
        self.wire = deque(
            message(payload, session=self.session, packet_id=packet_id, dup=True)
            for packet_id, payload in self.flying
        )


class Client:
    """Commits what the filter accepts, together with its marks; a crash forgets the rest."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.committed: list[bytes] = []
        self.marks = b""
        self.crash()

    def crash(self) -> None:
        self.filter = Redelivery(KEY, self.marks, messages_max=20)
        self.accepted: list[bytes] = []
        self.unacknowledged: list[tuple[int, int]] = []
        self.acks: deque[tuple[int, int]] = deque()

    def take(self) -> None:
        if self.broker.wire:
            got = self.broker.wire.popleft()
            dated = got.payload.startswith(b"{")
            if not repeats(self.filter, got, dated=dated):
                self.accepted.append(got.payload)
            self.unacknowledged.append((got.session, got.packet_id))

    def commit(self) -> None:
        self.committed += self.accepted
        self.marks = (self.marks + self.filter.take_marks())[-20 * MARK_BYTES :]
        self.acks.extend(self.unacknowledged)
        self.accepted, self.unacknowledged = [], []

    def acknowledge(self) -> None:
        if self.acks:
            self.broker.acknowledged(*self.acks.popleft())


@settings(max_examples=500)
@example([b"20", b"20"], ["send", "take", "commit", "ack"])
@given(
    st.lists(st.sampled_from([b"20", b"21"]), max_size=40),
    st.lists(st.sampled_from(["send", "take", "commit", "ack", "cut", "crash"]), max_size=200),
)
def test_accepted_is_published_in_any_interleaving_of_cuts_and_crashes(
    values: list[bytes], actions: list[str]
) -> None:
    dated = [b'{"ts":%d}' % number for number in range(len(values))]
    published = [payload for pair in zip(values, dated, strict=True) for payload in pair]
    broker = Broker(waiting=deque(published))
    client = Client(broker)
    for action in [*actions, "crash"]:
        match action:
            case "send":
                broker.send()
            case "take":
                client.take()
            case "commit":
                client.commit()
            case "ack":
                client.acknowledge()
            case "cut":
                broker.reconnect()
            case "crash":
                client.crash()
                broker.reconnect()
    while broker.waiting or broker.flying:
        broker.send()
        client.take()
        client.commit()
        client.acknowledge()
    assert Counter(client.committed) == Counter(published)
