"""Worlds in which the product lacks one of its rules. Each must be caught, or the oracle is blind.

Every one is taken out of the product's own path; the early answer alone is the stand-in journal's,
for there nothing but the order of two lines would have to change.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import apsw
from deltalake import DeltaTable

from cloud.journal import cursor as journal_cursor
from cloud.journal import hello as journal_hello
from cloud.journal.cursor import Cursor, Decision, Held
from cloud.journal.sqlite import sqlite_journal, writer
from cloud.journal.sqlite.segment import Segment, open_writer
from cloud.lake.table.files import FileList
from cloud.lake.table.table import LakeTable
from edge.store import blocks
from edge.store.blocks import Blocks
from edge.store.file import BufferFile
from edge.store.memory import Recipe, write_state
from edge.store.pieces import Bad, Piece
from protos.block import Block, Header
from tests.sim.aggregator import Cloud
from tests.sim.kinds import Kind
from tests.sim.link import Link

NORMAL = 1


class AcksTooEarly(Cloud):
    """Answers before the fsync."""

    def say(self, link: Link, decision: Decision) -> None:
        super().say(link, decision)
        for told, reply in self.unsaid:
            told.tell(reply)
        self.unsaid.clear()


@contextmanager
def no_fsync_of_the_buffer() -> Iterator[None]:
    """A PUBACK after a COMMIT that has not reached the card."""
    original = BufferFile.__init__

    def lax(self: BufferFile, *args: Any) -> None:
        original(self, *args)
        self._db.pragma("synchronous", NORMAL)

    with mock.patch.object(BufferFile, "__init__", lax):
        yield


@contextmanager
def no_fsync_of_the_journal() -> Iterator[None]:
    """An ack after a COMMIT that has not reached the disk."""

    def lax(segment: Segment) -> apsw.Connection:
        connection = open_writer(segment)
        connection.pragma("synchronous", NORMAL)
        return connection

    with mock.patch.object(writer, "open_writer", lax):
        yield


@contextmanager
def seq_apart() -> Iterator[None]:
    """The number of a block is taken in a transaction of its own, before the block is kept."""
    original = Blocks._keep

    def apart(
        self: Blocks,
        made: tuple[Block, Recipe] | None,
        pieces: Sequence[Piece],
        bad: Sequence[Bad],
    ) -> None:
        if made is not None:
            with self._rows.transaction():
                write_state(self._rows, blocks._after(self._memory.state, made[0]))
        original(self, made, pieces, bad)

    with mock.patch.object(Blocks, "_keep", apart):
        yield


@contextmanager
def commits_to_any_version() -> Iterator[None]:
    """A table takes rows from whatever offset they begin, on top of whatever is there."""
    original = LakeTable._commit

    def blind(self: LakeTable, actions: Any, end: int, says: Mapping[str, int]) -> None:
        handle = DeltaTable(str(self.folder))
        files = FileList(str(self.folder), handle.version(), self.state.files.files)
        self._handle, self.state = handle, replace(self.state, files=files)
        original(self, actions, end, says)

    with mock.patch.object(LakeTable, "_commit", blind):
        yield


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
        mock.patch.object(sqlite_journal, "decide_block", trusting),
        mock.patch.object(journal_hello, "_is_forked", never),
    ):
        yield


@contextmanager
def whole() -> Iterator[None]:
    """Nothing is taken away."""
    yield


@dataclass(frozen=True)
class Mutant:
    """What is taken from the product, and the kind of world that is to notice (None: any)."""

    without: Callable[[], object] = whole
    kind: Kind | None = None
    cloud: type[Cloud] = Cloud


MUTANTS = {
    "fsync before ack": Mutant(no_fsync_of_the_journal, Kind.DISKS),
    "fsync before PUBACK": Mutant(no_fsync_of_the_buffer, Kind.DISKS),
    "answer behind the commit": Mutant(kind=Kind.RULES, cloud=AcksTooEarly),
    "fencing": Mutant(no_fencing, Kind.RULES),
    "hash check": Mutant(no_hashes, Kind.RULES),
    "table offset check": Mutant(commits_to_any_version, Kind.LAKE),
    "seq in the transaction": Mutant(seq_apart, Kind.DISKS),
}
