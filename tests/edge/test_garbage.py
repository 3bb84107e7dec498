import pytest

from edge.catalog import Catalog
from edge.garbage import KEPT_EACH, REFUSED_MIN, TOPICS_MAX, Garbage
from edge.ingest import SHED_SHARE, Inbox
from edge.message import QOS_SHIFT, Burst, Messages
from edge.reading import Reader
from edge.redelivery import Redelivery


def reader() -> Reader:
    return Reader(Catalog((), salt=lambda: bytes(16)), Redelivery(b"k" * 32))


def messages(rows: list[tuple[str, bytes]], qos: int = 1) -> Messages:
    made = Messages()
    for number, (topic, payload) in enumerate(rows):
        made.topics.append(topic)
        made.payloads.append(payload)
        made.heads.append(qos << QOS_SHIFT)
        made.packet_ids.append(number + 1 if qos else 0)
    made.bursts.append(Burst(len(rows), 1, 1, 1))
    made.size = 300 * len(rows)
    return made


def test_of_many_rejects_of_one_topic_a_batch_keeps_some_and_counts_all() -> None:
    heard = reader().read(messages([("noise", b"\xff\x00")] * 500 + [("other", b"\xff")]))
    counts = heard.counts
    assert (counts.messages, counts.rejected, counts.unkept) == (501, 501, 500 - KEPT_EACH)
    kept = [one.topic for one in heard.rejects]
    assert kept == ["noise"] * KEPT_EACH + ["other"]


def test_a_topic_is_unwanted_after_long_and_wanted_with_its_first_reading() -> None:
    one = reader()
    one.read(messages([("noise", b"\xff")] * (REFUSED_MIN - 1)))
    assert one.unwanted == frozenset()
    one.read(messages([("noise", b"\xff")]))
    assert one.unwanted == {"noise"}
    one.read(messages([("noise", b"21.5")]))
    assert one.unwanted == frozenset()


def test_a_topic_that_is_read_now_and_then_never_becomes_unwanted() -> None:
    one = reader()
    for _ in range(10):
        one.read(messages([("mixed", b'{"t":21.5}')] + [("mixed", b"\xff")] * 50))
    assert one.unwanted == frozenset()


def test_what_is_known_of_topics_is_bounded() -> None:
    garbage = Garbage()
    for number in range(3 * TOPICS_MAX):
        for _ in range(REFUSED_MIN):
            garbage.refused(f"noise/{number}")
    assert len(garbage.unwanted) == TOPICS_MAX
    assert "noise/0" not in garbage.unwanted


@pytest.mark.parametrize("qos", [0, 1])
def test_only_what_nobody_was_promised_is_left_out_and_only_while_much_waits(qos: int) -> None:
    inbox = Inbox(messages_max=800)
    inbox.unwanted = frozenset({"noise"})
    mixed = messages([("noise", b"\xff"), ("good", b"1")] * 20, qos)
    assert inbox.sift(mixed) is mixed
    inbox.extend(messages([("good", b"1")] * (800 // SHED_SHARE)))
    kept = inbox.sift(mixed)
    assert kept.topics == (["good"] * 20 if qos == 0 else mixed.topics)
    assert kept.payloads == (([b"1"] * 20) if qos == 0 else mixed.payloads)
    assert inbox.shed == (20 if qos == 0 else 0)


def test_long_messages_count_by_their_bytes() -> None:
    inbox = Inbox(messages_max=1 << 20, bytes_max=8000)
    inbox.unwanted = frozenset({"noise"})
    assert len(inbox.sift(messages([("noise", b"\xff")] * 4, 0))) == 0
