"""What is left of a batch that is more than is read together."""

from collections.abc import Sequence

from edge.catalog import Catalog
from edge.collect import READ_TOGETHER
from edge.heard import Heard
from edge.ingest import Linger
from edge.message import Messages
from protos.records import Batch
from tests.edge.collect_rig import Above, Rig, until


class Counting(Above):
    """Notes how many batches it was asked about at once."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def score_each(self, batches: Sequence[Batch], catalog: Catalog) -> list[Batch]:
        self.asked.append(len(batches))
        return super().score_each(batches, catalog)


def test_what_is_left_of_a_batch_is_read_together_with_what_follows() -> None:
    scorer = Counting()
    rig = Rig(linger=Linger(min_s=0.001, max_s=0.002, messages_max=130), scorer=scorer)
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
