"""What is left of a batch that is more than is read together."""

from collections.abc import Sequence

import pytest

from edge.chunk import SCORES_MAX
from edge.collect import READ_TOGETHER
from edge.detect.looked import Looked
from edge.detect.places import SeriesNames
from edge.heard import Heard
from edge.ingest import Linger
from edge.message import Messages
from protos.records import Batch, Kind
from tests.edge.collect_rig import Above, Rig, detecting, until


class Counting(Above):
    """Notes how many batches it was asked about at once."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def look(self, batches: Sequence[Batch], catalog: SeriesNames) -> list[Looked]:
        self.asked.append(len(batches))
        return super().look(batches, catalog)


def test_what_is_left_of_a_batch_is_read_together_with_what_follows() -> None:
    scorer = Counting()
    rig = Rig(linger=Linger(min_s=0.001, max_s=0.002, messages_max=130), detector=detecting(scorer))
    payload = b'{"values":[' + b",".join(b"%d" % n for n in range(500)) + b"]}"
    tokens = [rig.send(payload, topic=f"t/{number % 3}") for number in range(1500)]
    rig.collect.start()
    until(lambda: rig.ingest.acked == tokens, "not all was acknowledged, in order")
    assert rig.collect.stop()
    assert len(scorer.asked) > 3
    assert scorer.asked[:-1] == [READ_TOGETHER] * (len(scorer.asked) - 1)
    assert rig.done.totals["numbers"] == 500 * len(tokens)
    assert rig.collect.under_way == 0


def test_no_more_is_taken_from_the_inbox_while_as_much_is_left_as_is_read_together() -> None:
    backlogs: list[int] = []
    read: list[int] = []

    def on_heard(messages: Messages, heard: Heard) -> None:
        read.append(len(messages))
        backlogs.append(sent - len(rig.inbox) - sum(read))

    rig = Rig(linger=Linger(min_s=0.001, max_s=0.002, messages_max=400), on_heard=on_heard)
    payload = b'{"values":[' + b",".join(b"%d" % n for n in range(500)) + b"]}"
    sent = 1500
    for _ in range(sent):
        rig.send(payload)
    rig.collect.start()
    until(lambda: len(rig.ingest.acked) == sent, "not all was acknowledged")
    assert rig.collect.stop()
    assert max(read) * READ_TOGETHER < 200, "less is read together than is taken"
    assert max(backlogs) <= 400 + READ_TOGETHER * max(read), "what is read waits beside the inbox"


@pytest.mark.parametrize("under_way", [8, 20, 31, 32, 200])
def test_a_broker_that_has_few_under_way_is_not_kept_waiting_for_more(under_way: int) -> None:
    """Many brokers cap what is in flight; waits for more would take 25 s here."""
    rig = Rig(linger=Linger())
    acknowledge, wanted = rig.ingest.ack, 100 * under_way

    def send(count: int) -> None:
        for _ in range(min(count, wanted - rig.sent)):
            rig.send(b"1", topic=f"a/{rig.sent % 5}")

    def ack(messages: Messages) -> None:
        acknowledge(messages)
        send(len(messages))

    rig.ingest.ack = ack  # type: ignore[method-assign]
    rig.collect.start()
    send(under_way)
    until(lambda: len(rig.ingest.acked) == wanted, "the broker and we waited for each other")
    assert rig.collect.stop()


def test_more_anomalies_than_a_chunk_takes_are_kept_in_several_and_acknowledged_once() -> None:
    rig = Rig(linger=Linger(min_s=0.001, max_s=0.002), detector=detecting())
    payload = b'{"values":[' + b",".join(b"%d" % (200 + n) for n in range(1000)) + b"]}"
    tokens = [rig.send(payload, topic=f"t/{number}") for number in range(12)]
    rig.collect.start()
    until(lambda: rig.ingest.acked == tokens, "not all was acknowledged, in order")
    assert rig.collect.stop()
    found = [chunk.batch.count(Kind.SCORES) for chunk in rig.store.kept]
    assert sum(found) == rig.done.totals["anomalies"] == 12 * 1000
    assert max(found) <= SCORES_MAX
