"""The journal against the disk: order of fsync and answer, failing disks, kill -9 in a loop."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import pytest

from cloud.errors import StorageError
from cloud.journal.counts import total
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalFullError, JournalLimits
from protos.block import read_header
from tests.contract.recount import Sums, said, stored
from tests.contract.sender import WAIT_S, Sender

ALL = 1 << 40
ROUNDS = 8
SMALL = JournalLimits(bytes_max=64 << 20, segment_bytes_max=256 << 10)

Readings = dict[tuple[str, int, int], int]
"""Readings of blocks by gateway, epoch and seq."""


class Disk(apsw.VFS):
    """SQLite's view of the disk: writes down what is done to it, and fails when it is told to."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails_sync = self.is_full = False
        super().__init__("watched", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "DiskFile":  # noqa: N802
        return DiskFile(self, name, flags)


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self.disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.kind = "wal" if str(path).endswith("-wal") else "other"
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self.disk.is_full:
            raise apsw.FullError("no space left")
        self.disk.done.append(f"write {self.kind}")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self.disk.fails_sync:
            raise apsw.IOError("fsync failed")
        self.disk.done.append(f"sync {self.kind}")
        super().xSync(flags)


@pytest.fixture
def disk() -> Iterator[Disk]:
    watched = Disk()
    yield watched
    watched.unregister()


def open_journal(folder: Path) -> SqliteJournal:
    clock = itertools.count(1_700_000_000_000_000)
    return SqliteJournal.open(folder, now_us=lambda: next(clock), limits=SMALL)


def test_an_answer_is_given_only_after_the_log_is_synced(disk: Disk, tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal")
    sender = Sender(journal, "attic").begin()
    for _ in range(3):
        sender.make()
        disk.done.clear()
        answer = sender.post(len(sender.blocks))
        answer.add_done_callback(lambda _: disk.done.append("answer"))
        assert answer.result(WAIT_S).append
        assert disk.done.index("write wal") < disk.done.index("answer")
        before = disk.done[: disk.done.index("answer")]
        assert before[-1] == "sync wal", "nothing is written between the last fsync and the answer"
    journal.close()


def test_a_failed_fsync_ends_the_journal_for_good(disk: Disk, tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal")
    sender = Sender(journal, "attic").begin()
    sender.send()
    disk.fails_sync = True
    sender.make()
    with pytest.raises(StorageError, match="fsync failed"):
        sender.post(2).result(WAIT_S)
    disk.fails_sync = False
    assert journal.failure is not None
    with pytest.raises(StorageError, match="fsync failed"):
        sender.post(2).result(WAIT_S)
    assert journal.head() == 1
    journal.close()
    again = open_journal(tmp_path / "journal")
    sender.journal = again
    sender.hello()
    assert sender.post(2).result(WAIT_S).replies[0].ack.stored == 2
    assert [entry.seq for entry in again.read(0, ALL)] == [1, 2]
    again.close()


def test_a_full_disk_refuses_and_recovers_when_space_returns(disk: Disk, tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal")
    sender = Sender(journal, "attic").begin()
    sender.send()
    disk.is_full = True
    sender.make()
    with pytest.raises(JournalFullError):
        sender.post(2).result(WAIT_S)
    disk.is_full = False
    assert sender.post(2).result(WAIT_S).replies[0].ack.stored == 2
    assert journal.failure is None
    journal.close()


def stream(folder: Path, trims: bool) -> None:
    """The child: three gateways send as fast as they can, and say what was acknowledged."""
    journal = open_journal(folder)
    senders = [Sender(journal, f"gw-{n}") for n in range(3)]
    for sender in senders:
        greeting = sender.hello()[0].resume
        known = {cursor.gateway: cursor for cursor in journal.cursors()}
        if greeting.epoch != known[sender.name].epoch or not known[sender.name].epoch:
            sender.epoch = known[sender.name].epoch
            sender.next_epoch()
    for number in itertools.count():
        waiting = []
        for sender in senders:
            sender.make(2_000 * (number % 5))
            waiting.append((sender, len(sender.blocks), sender.post(len(sender.blocks))))
        for sender, seq, answer in waiting:
            assert answer.result(WAIT_S).replies[0].ack.stored == seq
            readings = stored(sender.blocks[-1].data)[2]
            print(sender.name, sender.epoch, seq, readings, flush=True)
        if number % 20 == 19:
            journal.mark_archived(journal.head() // 2).result(WAIT_S)
            if trims:
                journal.trim()


@pytest.mark.parametrize("trims", [False, True])
def test_kill_9_at_any_moment_loses_and_doubles_nothing(tmp_path: Path, trims: bool) -> None:
    folder = tmp_path / "journal"
    known: Readings = {}
    module = "tests.cloud.journal.sqlite.test_sqlite_crash"
    for round_no in range(ROUNDS):
        command = [sys.executable, "-m", module, str(folder), "trim" if trims else "keep"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        # Killed at another point of the stream each round, once a rotation has gone by.
        for line in itertools.islice(child.stdout, 40 + 37 * round_no):
            known |= parse(line)
        os.kill(child.pid, signal.SIGKILL)
        for line in child.stdout:
            if line.endswith("\n"):
                known |= parse(line)
        child.wait()
        gone = check(folder, known)
    assert len(known) > 40 * ROUNDS
    assert bool(gone) is trims


def parse(line: str) -> Readings:
    name, epoch, seq, readings = line.split()
    return {(name, int(epoch), int(seq)): int(readings)}


def check(folder: Path, known: Readings) -> int:
    """The oracle: every block known is there once, in a chain without a hole, or was trimmed.

    ``known``: blocks acknowledged or found before; those found now are added. Returns how many
    are trimmed.
    """
    journal = open_journal(folder)
    gone = journal.stats().oldest - 1
    entries = journal.read(gone, ALL)
    assert [entry.offset for entry in entries] == list(range(gone + 1, gone + 1 + len(entries)))
    names = [(entry.gateway, entry.epoch, entry.seq) for entry in entries]
    assert len(names) == len(set(names))
    for entry, name in zip(entries, names, strict=True):
        header, found = read_header(entry.data)
        assert (header.gateway, header.epoch, header.seq) == name
        assert found == entry.hash
        assert known.setdefault(name, stored(entry.data)[2]) == stored(entry.data)[2]
    # Only what was archived, and so acknowledged, is trimmed: one more would be lost, one less new.
    assert len(known.keys() - set(names)) == gone, sorted(known.keys() - set(names))[:5]
    for cursor in journal.cursors():
        seqs = sorted(s for g, e, s in known if (g, e) == (cursor.gateway, cursor.epoch))
        assert seqs == list(range(1, cursor.stored + 1))
    assert said(journal) == sums(known, journal.cursors())
    assert total(journal.counts().values()).archived_blocks == journal.archived()
    journal.close()
    return gone


def sums(known: Readings, cursors: Sequence[Cursor]) -> Sums:
    """What the journal must have counted, with `archived` of each epoch as its cursor has it."""
    archived = {(c.gateway, past.epoch): past.archived for c in cursors for past in c.closed}
    archived |= {(cursor.gateway, cursor.epoch): cursor.archived for cursor in cursors}
    summed: Sums = {}
    for (gateway, epoch, seq), readings in known.items():
        a, b, c, d = summed.get((gateway, epoch), (0, 0, 0, 0))
        behind = seq <= archived[gateway, epoch]
        more = (a + 1, b + readings, c + behind, d + readings * behind)
        summed[gateway, epoch] = more
    return summed


if __name__ == "__main__":
    stream(Path(sys.argv[1]), trims=sys.argv[2] == "trim")
