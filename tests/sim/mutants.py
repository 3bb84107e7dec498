"""Worlds in which the product lacks one of its rules. Each must be caught, or the oracle is blind.

Fencing, hash check and fsync-before-ack are taken out of the product's own path; the transaction of
the journal and the table's offset check out of the disks that stand in for SQLite and Delta.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest import mock

from cloud import journal_cursor, journal_hello
from cloud.journal_cursor import Cursor, Decision, Held
from protos.block import Header
from tests.sim.aggregator import Cloud
from tests.sim.lake import Handle, Lake
from tests.sim.link import Link


class AcksTooEarly(Cloud):
    """Answers before the fsync."""

    def say(self, link: Link, decision: Decision) -> None:
        super().say(link, decision)
        for told, reply in self.unsaid:
            told.tell(reply)
        self.unsaid.clear()


class ForgetsItsCursor(Cloud):
    """Takes the seq in a transaction of its own: a crash in between loses it, not the block."""

    def crash(self) -> None:
        super().crash()
        stored = max(0, self.open.cursor.stored - 1)
        self.open.cursor = replace(self.open.cursor, stored=stored)


class TrustingLake(Lake):
    """Commits from any handle."""

    def is_current(self, handle: Handle) -> bool:
        return True


class CommitsTwice(Cloud):
    """Has no offset check in the table's commit."""

    def __init__(self) -> None:
        super().__init__()
        self.lake = TrustingLake()


@contextmanager
def no_fencing() -> Iterator[None]:
    """Messages of any session are judged as if they were of the present one."""
    original = journal_cursor._out_of_session

    def blind(cursor: Cursor, session: int, epoch: int) -> Decision | None:
        return original(cursor, cursor.session, epoch)

    with mock.patch.object(journal_cursor, "_out_of_session", blind):
        yield


@contextmanager
def no_hashes() -> Iterator[None]:
    """Seqs count, hashes do not: neither of the head in the hello nor of the block before."""
    original = journal_cursor.decide_block

    def trusting(
        cursor: Cursor, held: Held, *, header: Header, hash: bytes, **where: int
    ) -> Decision:
        trusted = replace(cursor, stored_hash=header.prev_hash)
        decision = original(trusted, held, header=header, hash=hash, **where)
        return decision if decision.append else replace(decision, cursor=cursor)

    def never(*_: object) -> bool:
        return False

    with (
        mock.patch.object(journal_cursor, "decide_block", trusting),
        mock.patch.object(journal_hello, "_is_forked", never),
    ):
        yield


@contextmanager
def whole() -> Iterator[None]:
    """Nothing is taken away."""
    yield


@dataclass(frozen=True)
class Mutant:
    """A cloud, and what is taken from the product while it lives."""

    cloud: type[Cloud] = Cloud
    without: Callable[[], object] = whole


MUTANTS = {
    "fsync before ack": Mutant(AcksTooEarly),
    "fencing": Mutant(without=no_fencing),
    "hash check": Mutant(without=no_hashes),
    "table offset check": Mutant(CommitsTwice),
    "seq in the transaction": Mutant(ForgetsItsCursor),
}
