"""What every journal promises about its figures: they are the sums over what it ever stored."""

from collections.abc import Callable

import numpy as np

from cloud.journal.contract import Journal
from cloud.journal.counts import EARLIER, EPOCHS_MAX, Counts, total
from protos.records import Kind, concat, numbers, strings, table, texts
from tests.contract.recount import recount, said, stored
from tests.contract.sender import WAIT_S, Sender

Open = Callable[[], Journal]
T0 = 1_700_000_000_000_000


def test_an_empty_journal_has_counted_nothing(journal: Journal) -> None:
    assert journal.counts() == {}
    assert total(journal.counts().values()) == Counts()


def test_numbers_and_texts_are_readings_and_what_speaks_of_them_is_not(journal: Journal) -> None:
    ts = T0 + np.arange(3, dtype=np.int64)
    batch = concat(
        [
            numbers(series=0, ts=ts, value=np.arange(3.0), quality=0, arrival=ts),
            texts(series=0, ts=ts[:2], text=strings(["on", "off"]), quality=0, arrival=ts[:2]),
            table(
                Kind.SCORES,
                {"series": 0, "ts": ts[:1], "value": 1.0, "score": 9.0, "threshold": 3.0,
                 "model": strings(["m"])},
            ),
            table(
                Kind.GAPS,
                {"series": 0, "ts": ts[:1], "to": T0 + 9, "count": 1000, "reason": 1,
                 "seq_from": 0, "seq_to": 0},
            ),
        ]
    )  # fmt: skip
    Sender(journal, "attic").begin().send(batch=batch)
    assert journal.counts()["attic"].total == Counts(blocks=1, readings=5)


def test_what_is_not_stored_is_not_counted(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    block = sender.send(4000)
    for _ in range(3):
        sender.post(1).result(WAIT_S)
    sender.make(800)
    sender.make(800)
    assert sender.post(3).result(WAIT_S).replies[0].HasField("resend")
    sender.blocks.clear()
    sender.make(8000, mark=1)
    assert sender.post(1).result(WAIT_S).ends, "a fork"
    journal.append("attic", sender.session, 1, 2, b"no block").result(WAIT_S)
    assert said(journal) == recount([stored(block.data)], 0)


def test_blocks_and_readings_are_counted_for_each_gateway_and_epoch(journal: Journal) -> None:
    one, two = Sender(journal, "one").begin(), Sender(journal, "two").begin()
    blocks = [sender.send(size).data for sender, size in ((one, 80), (two, 800), (one, 8000))]
    one.next_epoch()
    blocks += [one.send(400).data, two.send(40).data]
    journal.mark_archived(4).result(WAIT_S)
    assert said(journal) == recount([stored(data) for data in blocks], 4)
    assert list(journal.counts()["one"].epochs) == [1, 2]


def test_the_sum_over_gateways_is_head_and_archived(journal: Journal) -> None:
    senders = [Sender(journal, f"gw-{n}").begin() for n in range(5)]
    for number in range(20):
        senders[number % 5].send(number * 100)
    for offset in (3, 3, 1, 12):
        journal.mark_archived(offset).result(WAIT_S)
        summed = total(journal.counts().values())
        assert (summed.blocks, summed.archived_blocks) == (journal.head(), journal.archived())
    journal.mark_archived(20).result(WAIT_S)
    summed = total(journal.counts().values())
    assert summed.archived_readings == summed.readings > 0


def test_a_gateway_that_has_sent_nothing_is_counted_as_nothing(journal: Journal) -> None:
    Sender(journal, "quiet").begin()
    assert journal.counts()["quiet"].total == Counts()


def test_the_figures_are_as_of_the_answer(journal: Journal) -> None:
    sender = Sender(journal, "attic").begin()
    for number in range(1, 20):
        sender.make(100)
        sender.post(number).result(WAIT_S)
        assert journal.counts()["attic"].total.blocks == number


def test_opened_again_it_has_counted_the_same(open_journal: Open) -> None:
    journal = open_journal()
    sender, other = Sender(journal, "attic").begin(), Sender(journal, "barn").begin()
    blocks = [stored(sender.send(size).data) for size in (10, 1000, 5000)]
    blocks.append(stored(other.send(300).data))
    journal.mark_archived(2).result(WAIT_S)
    blocks.append(stored(sender.send(70).data))
    for _ in range(3):
        journal = open_journal()
        assert said(journal) == recount(blocks, 2)
    sender.journal = journal
    sender.hello()
    blocks.append(stored(sender.send(90).data))
    assert said(journal) == recount(blocks, 2)


def test_epochs_beyond_those_remembered_are_counted_together(open_journal: Open) -> None:
    journal = open_journal()
    sender = Sender(journal, "attic").begin()
    blocks = [stored(sender.send(10).data)]
    for epoch in range(2, EPOCHS_MAX + 4):
        sender.next_epoch()
        blocks.append(stored(sender.send(10 * epoch).data))
    journal.mark_archived(2).result(WAIT_S)
    together = [("attic", epoch if epoch > 3 else EARLIER, n) for _, epoch, n in blocks]
    summed = recount(together, 2)
    assert said(journal) == summed
    assert len(journal.counts()["attic"].epochs) == EPOCHS_MAX + 1
    assert said(open_journal()) == summed
