"""Any interleaving of what gateways, the lake and restarts do, against a model in memory."""

import itertools
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from tests.contract.recount import Stored, recount, said, stored
from tests.contract.sender import WAIT_S, Sender

ALL = 1 << 40
GATEWAYS = 3
TINY = JournalLimits(bytes_max=64 << 20, segment_bytes_max=128 << 10)

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["send", "again", "declare", "epoch", "hello"]), st.integers(0, 2)
        ),
        st.tuples(st.sampled_from(["archive", "trim", "reopen"]), st.integers(0, 40)),
    ),
    max_size=60,
)


class World:
    """The journal, its gateways, and what must be in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = itertools.count(1_700_000_000_000_000)
        self.journal = self.open()
        self.senders = [Sender(self.journal, f"gw-{n}").begin() for n in range(GATEWAYS)]
        self.stored: list[tuple[str, int, int, bytes]] = []
        self.blocks: list[Stored] = []
        self.archived = self.gone = 0

    def open(self) -> SqliteJournal:
        return SqliteJournal.open(self.folder, now_us=lambda: next(self.clock), limits=TINY)

    def step(self, what: str, number: int) -> None:
        match what:
            case "send":
                sender = self.senders[number]
                block = sender.send(10_000 + 64 * len(self.stored))
                self.stored.append((sender.name, sender.epoch, len(sender.blocks), block.hash))
                self.blocks.append(stored(block.data))
            case "again":
                sender = self.senders[number]
                for seq in range(1, len(sender.blocks) + 1):
                    answer = sender.post(seq).result(WAIT_S)
                    assert answer.replies[0].ack.stored == len(sender.blocks)
            case "declare":
                self.senders[number].declare(2)
            case "epoch":
                self.senders[number].next_epoch()
            case "hello":
                greeting = self.senders[number].hello()[0].resume
                assert greeting.stored == len(self.senders[number].blocks)
            case "archive":
                self.archived = max(self.archived, min(number, len(self.stored)))
                self.journal.mark_archived(min(number, len(self.stored))).result(WAIT_S)
            case "trim":
                self.gone = self.journal.trim()
            case "reopen":
                self.journal.close()
                self.journal = self.open()
                for sender in self.senders:
                    sender.journal = self.journal

    def check(self) -> None:
        assert (self.journal.head(), self.journal.archived()) == (len(self.stored), self.archived)
        assert self.gone <= self.archived
        assert said(self.journal) == recount(self.blocks, self.archived)
        read = self.journal.read(self.gone, ALL)
        assert [(e.gateway, e.epoch, e.seq, e.hash) for e in read] == self.stored[self.gone :]
        cursors = {cursor.gateway: cursor for cursor in self.journal.cursors()}
        for sender in self.senders:
            cursor = cursors[sender.name]
            assert (cursor.epoch, cursor.stored) == (sender.epoch, len(sender.blocks))
            assert cursor.series_root == sender.root
            assert self.journal.series(sender.name, sender.epoch) == sender.series
            mine = [s for g, e, s, _ in self.stored[: self.archived] if (g, e) == name(sender)]
            assert cursor.archived == max(mine, default=0)


def name(sender: Sender) -> tuple[str, int]:
    return sender.name, sender.epoch


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_any_interleaving_leaves_what_a_model_says(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "journal")
        for what, number in steps:
            world.step(what, number)
            assert said(world.journal) == recount(world.blocks, world.archived), what
        world.check()
        world.step("reopen", 0)
        world.check()
        world.journal.close()
