"""The import gateway's side of delivery, over lines that break and clouds that have no room."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cloud.errors import OperatorError, UnreachableError
from cloud.imports import sender as sender_module
from cloud.imports.ledger import Ledger
from cloud.imports.line import JournalLine
from cloud.imports.piece import Numbers
from cloud.imports.sender import RefusedError, Sender
from cloud.journal.contract import JournalOverloadedError
from cloud.journal.cursor import fault
from cloud.journal.sqlite.rebirth import begin_generation
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from protos import sync_pb2 as pb
from protos.limits import DECLARE_ENTRIES_MAX
from protos.series import SeriesKey
from tests.cloud.imports.import_world import World

KEYS = [SeriesKey("pump", f"m{number}") for number in range(3)]


def batch(number: int, rows: int = 4) -> Numbers:
    times = 1_700_000_000_000_000 + number * 1000 + np.arange(rows)
    return Numbers(np.full(rows, 1, np.uint32), times, np.arange(float(rows)))


class Flaky:
    """A line that fails, in one of several ways, whenever `broken` says so."""

    def __init__(self, journal: SqliteJournal, broken: Callable[[str], object]) -> None:
        self._line, self._broken = JournalLine(journal, "import"), broken
        self._refusal: pb.CloudMessage | None = None

    def send(self, message: pb.GatewayMessage) -> None:
        found = self._broken(message.WhichOneof("body"))
        if isinstance(found, pb.CloudMessage):
            self._refusal = found
        elif found:
            raise UnreachableError("send", "the line broke")
        else:
            self._line.send(message)

    def receive(self) -> pb.CloudMessage:
        return self._refusal or self._line.receive()

    def close(self) -> None:
        self._line.close()


class Site:
    def __init__(self, root: Path) -> None:
        self.world = World(root)
        self.journal = self.world.journal()
        self.ledger = Ledger.open(root / "imports", "import")
        self.ledger.begin()
        self.pauses: list[float] = []
        self.broken: Callable[[str], object] = lambda body: False

    def sender(self) -> Sender:
        return Sender(self.ledger, lambda: Flaky(self.journal, lambda b: self.broken(b)),
                      self.pauses.append)  # fmt: skip

    def keep(self, *numbers: int):
        self.ledger.entries(KEYS)
        return [kept for kept, _ in self.ledger.keep([batch(number) for number in numbers])]

    def held(self) -> list[int]:
        self.journal.close()
        counts = self.world.held()
        self.journal = self.world.journal()
        assert set(counts.values()) <= {1}
        return sorted({(reading[3] - 1_700_000_000_000_000) // 1000 for reading in counts})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()
    made.ledger.close()


def nth(*wanted: int, answer: object = True) -> Callable[[str], object]:
    """Breaks at the n-th blocks that are sent."""
    count = 0

    def broken(body: str) -> object:
        nonlocal count
        count += body == "block"
        return body == "block" and count in wanted and answer

    return broken


def test_a_line_that_breaks_is_opened_again_and_nothing_comes_twice(site: Site) -> None:
    site.broken = nth(2, 3, 7)
    with closing(site.sender()) as sender:
        sender.settle()
        sender.send(site.keep(0, 1, 2, 3))
        sender.send(site.keep(4, 5))
        sender.finish()
    assert site.held() == [0, 1, 2, 3, 4, 5]
    assert len(site.pauses) == 3


def test_a_cloud_without_room_is_waited_for_and_in_the_end_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "TRIES_MAX", 5)
    full = fault(pb.OVERLOADED, "the journal is full", "allow more bytes", 1000)
    with closing(site.sender()) as sender:
        sender.settle()
        site.broken = nth(1, 2, 3, answer=full)
        sender.send(site.keep(0, 1))
        sender.finish()
        assert len(site.pauses) == 2, "the first two were refused in one session"
        site.broken = lambda body: body == "block" and full
        sender.send(site.keep(2))
        with pytest.raises(RefusedError, match="the journal is full"):
            sender.finish()
    assert site.held() == [0, 1]
    site.broken = lambda body: False
    with closing(site.sender()) as sender:
        sender.settle()
    assert site.held() == [0, 1, 2]


def test_a_journal_without_room_is_a_cloud_without_room(site: Site, monkeypatch) -> None:
    def full(*args: object) -> object:
        raise JournalOverloadedError("store", "it is full", "wait")

    class Failed:
        result = staticmethod(full)

    line = JournalLine(site.journal, "import")
    monkeypatch.setattr(site.journal, "append", lambda *args: Failed)
    line.send(pb.GatewayMessage(block=pb.BlockData()))
    assert line.receive().fault.code == pb.OVERLOADED
    line.send(pb.GatewayMessage(block=pb.BlockData()))
    monkeypatch.undo()
    line.close()


def test_a_refusal_that_time_does_not_heal_is_told_at_once(site: Site) -> None:
    site.broken = lambda body: body == "hello" and fault(pb.REVOKED, "revoked", "enrol again")
    with closing(site.sender()) as sender, pytest.raises(RefusedError, match="enrol again"):
        sender.settle()
    assert not site.pauses


def test_a_cloud_that_never_answered_is_not_waited_for(site: Site) -> None:
    site.broken = lambda body: True
    with closing(site.sender()) as sender, pytest.raises(UnreachableError):
        sender.settle()
    assert not site.pauses


def test_a_journal_that_is_lost_under_a_sender_gets_all_in_a_new_epoch(
    site: Site, tmp_path: Path
) -> None:
    with closing(site.sender()) as sender:
        sender.settle()
        sender.send(site.keep(0, 1))
        sender.finish()
        blocks = site.keep(2, 3)
        site.journal.close()
        (tmp_path / "journal").rename(tmp_path / "lost")
        next(site.world.clock)
        site.world.clock = iter(range(1_700_000_100_000_000, 1 << 60, 1000))
        site.journal = site.world.journal()
        once = iter([True])
        site.broken = lambda body: next(once, False)
        sender.send(blocks)
        sender.finish()
    assert site.held() == [0, 1, 2, 3]
    assert site.ledger.standing.epoch > 1


def test_a_journal_that_stepped_back_under_a_sender_gets_what_it_lacks(
    site: Site, tmp_path: Path
) -> None:
    with closing(site.sender()) as sender:
        sender.settle()
        sender.send(site.keep(0, 1))
        sender.finish()
        site.journal.close()
        shutil.copytree(tmp_path / "journal", tmp_path / "backup")
        site.journal = site.world.journal()
        site.broken = nth(1)
        sender.send(site.keep(2, 3))
        sender.finish()
        blocks = site.keep(4, 5)
        site.journal.close()
        shutil.rmtree(tmp_path / "journal")
        shutil.move(tmp_path / "backup", tmp_path / "journal")
        begin_generation(tmp_path / "journal", 0, 1_700_000_100_000_000)
        site.journal = site.world.journal()
        once = iter([True])
        site.broken = lambda body: next(once, False)
        sender.send(blocks)
        sender.finish()
    assert site.held() == [0, 1, 2, 3, 4, 5]


def test_what_the_cloud_names_as_held_is_not_sent_again(site: Site) -> None:
    with closing(site.sender()) as sender:
        sender.settle()
        sender.send(site.keep(0, 1))
        sender.finish()
    site.journal.forgive("import").result(10)
    blocks = site.keep(2)
    with closing(site.sender()) as sender:
        sender.settle()
        sender.send(blocks)
        sender.finish()
    assert site.held() == [0, 1, 2]
    assert site.ledger.standing.epoch > 1


def test_a_cloud_that_has_more_than_the_ledger_is_refused_by_its_resume_alone(site: Site) -> None:
    class Ahead:
        def send(self, message: pb.GatewayMessage) -> None:
            pass

        def receive(self) -> pb.CloudMessage:
            return pb.CloudMessage(resume=pb.Resume(session=2, epoch=1, stored=5))

        def close(self) -> None:
            pass

    with (
        closing(Sender(site.ledger, Ahead, site.pauses.append)) as sender,
        pytest.raises(OperatorError, match="5 blocks of it that"),
    ):
        sender.settle()


def test_more_series_than_a_message_may_carry_are_told_in_several(site: Site) -> None:
    keys = [SeriesKey(f"d{number}", "m" * 200) for number in range(DECLARE_ENTRIES_MAX + 10)]
    with closing(site.sender()) as sender:
        sender.settle()
        site.ledger.entries(keys)
        sender.send([kept for kept, _ in site.ledger.keep([batch(0)])])
        sender.finish()
    assert len(site.journal.series("import", site.ledger.standing.epoch)) == len(keys)
    assert site.held() == [0]
