import itertools
import threading
from collections.abc import Iterator, Sequence

import pytest

from edge.committing import UNDER_WAY_MAX
from edge.detect.found import Occurrence
from edge.detect.learned import BySeries
from edge.detect.looked import Looked
from edge.detect.places import SeriesNames
from edge.errors import StorageError
from edge.heard import Heard
from edge.ingest import Linger
from edge.message import Messages
from edge.store.limits import BufferFull
from protos.records import Batch, Kind
from protos.series import SeriesKey
from tests.edge.collect_rig import NOW_US, Rig, detecting, until


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.store.by_itself = True
    assert rig.collect.stop()


def test_messages_are_acknowledged_after_the_commit_and_not_before(rig: Rig) -> None:
    rig.store.by_itself = False
    rig.collect.start()
    tokens = [rig.send(b"%d" % number) for number in range(3)]
    until(lambda: rig.store.offered, "nothing was committed")
    assert rig.ingest.acked == []
    rig.store.by_itself = True
    rig.store.resolve()
    until(lambda: rig.ingest.acked == tokens, "nothing was acknowledged")
    until(lambda: rig.done.totals.get("numbers") == 3, "nothing was counted")


def offer_each(rig: Rig, count: int) -> None:
    """Send messages so that each is a chunk of its own, none of them answered yet."""
    rig.store.by_itself = False
    rig.collect.start()
    for number in range(count):
        rig.send(b"%d" % number, topic=f"t/{number}")
        until(lambda n=number: len(rig.store.offered) == n + 1, "not offered")  # type: ignore[misc]


def test_the_next_chunk_is_offered_meanwhile_and_acknowledged_only_after(rig: Rig) -> None:
    offer_each(rig, 3)
    rig.store.resolve(at=1)
    rig.store.resolve(at=2)
    until(lambda: sum(rig.collect.commit_latency.snapshot().counts) == 2, "they were not committed")
    assert rig.ingest.acked == []
    rig.store.resolve(at=0)
    until(lambda: rig.ingest.acked == [1, 2, 3], "not all was acknowledged, in order")
    assert rig.done.commits == 3


def test_no_more_than_a_few_chunks_are_under_way(rig: Rig) -> None:
    offer_each(rig, UNDER_WAY_MAX)
    rig.send(b"1", topic="one/more")
    until(lambda: len(rig.catalog) == UNDER_WAY_MAX + 1, "the next batch was not read")
    assert len(rig.store.offered) == UNDER_WAY_MAX
    rig.store.resolve(at=0)
    until(lambda: len(rig.store.offered) == UNDER_WAY_MAX + 1, "not offered once there was room")
    for at in range(1, UNDER_WAY_MAX + 1):
        rig.store.resolve(at=at)
    until(lambda: len(rig.ingest.acked) == UNDER_WAY_MAX + 1, "not acknowledged")


def test_what_is_refused_is_offered_again_in_order_and_nothing_new_overtakes_it(rig: Rig) -> None:
    offer_each(rig, 3)
    full = BufferFull("keep a chunk", "the buffer is full")
    rig.store.resolve(full, at=0)
    rig.send(b"9", topic="t/9")
    rig.store.resolve(at=1)
    rig.store.resolve(full, at=2)
    until(lambda: len(rig.store.offered) == 4, "not offered again")
    assert rig.store.offered[3][0] is rig.store.offered[0][0]
    rig.store.resolve()
    until(lambda: len(rig.store.offered) == 5, "not offered again")
    assert rig.store.offered[4][0] is rig.store.offered[2][0]
    assert rig.ingest.acked == [1, 2]
    rig.store.by_itself = True
    rig.store.resolve()
    until(lambda: rig.ingest.acked == [1, 2, 3, 4], "not all was acknowledged, in order")
    assert rig.done.retries == 1


def test_a_full_buffer_holds_the_batch_and_tries_again(rig: Rig) -> None:
    rig.store.by_itself = False
    rig.collect.start()
    rig.send(b"1")
    for refusals in (1, 2):
        until(lambda n=refusals: len(rig.store.offered) == n, "not offered again")  # type: ignore[misc]
        rig.store.resolve(BufferFull("keep a chunk", "the buffer is full"))
        until(lambda n=refusals: rig.done.retries == n, "not counted")  # type: ignore[misc]
        assert rig.done.held
    rig.send(b"2")
    until(lambda: len(rig.store.offered) == 3, "not offered again")
    assert rig.ingest.acked == []
    assert len({id(chunk) for chunk, _ in rig.store.offered}) == 1, "the same chunk each time"
    rig.store.by_itself = True
    rig.store.resolve()
    until(lambda: rig.ingest.acked == [1, 2], "not acknowledged")
    assert not rig.done.held
    assert not rig.fatal


def test_a_failed_commit_is_fatal_and_acknowledges_nothing(rig: Rig) -> None:
    rig.store.by_itself = False
    rig.collect.start()
    rig.send(b"1")
    until(lambda: rig.store.offered, "nothing was committed")
    failure = StorageError("commit a chunk", "input/output error")
    rig.store.resolve(failure)
    until(lambda: rig.fatal, "nobody was told")
    assert rig.fatal == [failure]
    assert rig.collect.fatal is failure
    assert rig.ingest.acked == []


def test_a_stop_while_the_buffer_is_full_ends_at_once_and_acknowledges_nothing() -> None:
    rig = Rig()
    rig.store.by_itself = False
    rig.collect.start()
    rig.send(b"1")
    until(lambda: rig.store.offered, "nothing was committed")
    rig.store.resolve(BufferFull("keep a chunk", "the buffer is full"))
    until(lambda: rig.done.held, "not held")
    rig.store.by_itself = False
    assert rig.collect.stop(5)
    assert (rig.ingest.acked, rig.fatal) == ([], [])


def test_a_stop_waits_for_the_commit_under_way_and_its_acknowledgement() -> None:
    rig = Rig()
    rig.store.by_itself = False
    rig.collect.start()
    rig.send(b"1")
    until(lambda: rig.store.offered, "nothing was committed")
    threading.Timer(0.05, rig.store.resolve).start()
    assert rig.collect.stop(5)
    assert rig.ingest.acked == [1]


def test_copies_and_rejects_are_acknowledged_too_and_kept_apart(rig: Rig) -> None:
    rig.collect.start()
    rig.send(b"21.5")
    until(lambda: rig.ingest.acked == [1], "not acknowledged")
    rig.send(b"21.5", packet_id=1, session=2, dup=True)
    rig.send(b"\xff", session=2)
    rig.send(b"3", session=2, qos=0)
    until(lambda: rig.done.totals.get("messages") == 4, "not all were taken")
    assert rig.ingest.acked == [1, 1, 3]
    assert {name: rig.done.totals.get(name) for name in ("accepted", "collapsed", "rejected")} == {
        "accepted": 2,
        "collapsed": 1,
        "rejected": 1,
    }
    kept = [value for chunk in rig.store.kept for value in chunk.batch.kind(Kind.NUMBERS)["value"]]
    assert kept == [21.5, 3.0]
    assert sum(len(chunk.marks) for chunk in rig.store.kept) == 2 * 16
    assert [reject.payload for chunk in rig.store.kept for reject in chunk.rejects] == [b"\xff"]


def test_episodes_are_told_before_the_commit_and_kept_with_it() -> None:
    told: list[Occurrence] = []
    heard: list[Heard] = []
    rig = Rig(
        detector=detecting(),
        on_episodes=lambda found: told.extend(found),
        on_heard=lambda messages, batch: heard.append(batch),
    )
    rig.store.by_itself = False
    rig.collect.start()
    rig.send(b'{"x":1,"y":250}', topic="d")
    until(lambda: told, "no episode was told")
    assert [one.series for one in told] == [SeriesKey("d", "y")]
    change = told[0].change
    assert (change.start, change.value, change.peak) == (NOW_US, 250.0, 9.5)
    until(lambda: rig.store.offered, "nothing was committed")
    chunk, _ = rig.store.offered[0]
    assert chunk.batch.count(Kind.NUMBERS) == 2
    assert chunk.batch.count(Kind.SCORES) == 1
    assert chunk.batch.kind(Kind.EPISODES)["id"][0].tobytes() == change.id
    assert [name for name, _ in chunk.kept] == [f"episode {change.id.hex()}"]
    assert chunk.counters["anomalies"] == chunk.counters["episodes_opened"] == 1
    assert [batch.counts.numbers for batch in heard] == [2]
    rig.store.resolve()
    assert rig.collect.stop(5)


def test_what_is_too_much_for_one_commit_goes_into_several_and_is_acknowledged_in_order(
    rig: Rig,
) -> None:
    tokens = [rig.send(b"x" * 4000, topic=f"d/t{number % 7}") for number in range(400)]
    rig.collect.start()
    until(lambda: rig.ingest.acked == tokens, "not all were acknowledged in order")
    assert len(rig.store.kept) > 2
    assert rig.done.totals["texts"] == 400


def test_a_fault_of_our_own_ends_collecting_and_is_told() -> None:
    class Broken:
        labels: Sequence[str] = ()

        def look(self, batches: Sequence[Batch], catalog: SeriesNames) -> list[Looked]:
            raise RuntimeError("no such model")

        def learning(self) -> dict[str, dict[str, BySeries]]:
            return {}

    rig = Rig(detector=detecting(Broken()))
    rig.collect.start()
    rig.send(b"1")
    until(lambda: rig.fatal, "nobody was told")
    assert str(rig.fatal[0]) == "no such model"
    assert rig.ingest.acked == []


def test_an_acknowledgement_that_fails_ends_collecting_and_is_told(rig: Rig) -> None:
    def refuse(messages: Messages) -> None:
        raise OSError("the wire is gone")

    rig.ingest.ack = refuse  # type: ignore[method-assign]
    rig.collect.start()
    rig.send(b"1")
    until(lambda: rig.fatal, "the fault is told")
    assert isinstance(rig.fatal[0], OSError)


def test_a_finish_commits_and_acknowledges_what_waits_and_reads_no_more(rig: Rig) -> None:
    rig.store.by_itself = False
    rig.collect.start()
    first = rig.send(b"1")
    until(lambda: rig.store.offered, "the first is offered")
    rest = [rig.send(b"2"), rig.send(b"3")]
    rig.store.by_itself = True
    rig.store.resolve()
    assert rig.collect.finish()
    assert not rig.inbox.has_room
    assert rig.ingest.acked == [first, *rest]


def test_a_slow_card_lengthens_the_time_between_commits_and_no_look_waits_for_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    commits: list[float] = []
    take, due_s = rig.inbox.take, rig.collect._gathering.due_s

    def taken(linger: Linger, until_s: float) -> Messages:
        looks.append(linger.min_s)
        return take(linger, until_s)

    def due(linger: Linger, *, steady: bool) -> float:
        """Asked after a look, whether to commit, and before the next one, when to wake up."""
        commits.append(linger.min_s)
        return due_s(linger, steady=steady)

    class Slow:
        """A clock on which every commit takes 8.1 ms."""

        ticks = itertools.count()

        @classmethod
        def monotonic(cls) -> float:
            return next(cls.ticks) * 0.0081

    monkeypatch.setattr(rig.inbox, "take", taken)
    monkeypatch.setattr(rig.collect._gathering, "due_s", due)
    monkeypatch.setattr("edge.committing.time", Slow)
    rig.collect.start()
    for number in range(5):
        rig.send(b"%d" % number)
        until(lambda: len(rig.ingest.acked) == rig.sent, "it was not acknowledged")
    until(lambda: commits[-2:] == [0.002] * 2, "it did not wait as long as the settings allow")
    assert commits[0] == 0.001
    assert set(looks) == {0.001}
