"""What a gateway of a story sends: its line to a journal, and the series it has."""

from hashlib import sha256
from typing import Final

import numpy as np

from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from protos import sync_pb2 as pb
from protos.block import build_block
from protos.series import EMPTY_ROOT, SeriesEntry, SeriesKey, make_entry, roll
from tests.crash.lake_story import Story

WAIT_S: Final = 30


class Line:
    """One gateway's line to the journal, taken up where the journal stands."""

    def __init__(self, journal: SqliteJournal, name: str) -> None:
        self.journal, self.name = journal, name
        cursor = next((one for one in journal.cursors() if one.gateway == name), None)
        self.epoch = 1
        series, self.root = series_of(name)
        is_new = cursor is None or cursor.epoch == 0
        hello = pb.Hello(
            protocol_min=1,
            protocol_max=1,
            gateway=name,
            boot_id=bytes(16),
            oldest_kept=1,
            epoch=0 if cursor is None else cursor.epoch,
            head=0 if cursor is None else cursor.stored,
            head_hash=bytes(32) if cursor is None else cursor.stored_hash,
            series_high=0 if is_new else len(series),
            series_root=EMPTY_ROOT if is_new else self.root,
        )
        replies = journal.hello(name, hello, 4 << 20).result(WAIT_S).replies
        self.session = replies[0].resume.session
        if is_new:
            asked = pb.EpochRequest(session=self.session, closed_epoch=0, why="a new gateway")
            journal.request_epoch(name, asked).result(WAIT_S)
        known = len(journal.series(name, 1))
        if known < len(series):
            args = (name, self.session, self.epoch, known + 1, series[known:])
            journal.declare(*args).result(WAIT_S)
        self.high = len(series)

    def send(self, seq: int, story: Story, block: int) -> None:
        """Send a block that follows the last; AssertionError when it is not acknowledged."""
        cursor = next(one for one in self.journal.cursors() if one.gateway == self.name)
        assert cursor.stored == seq - 1, (cursor, seq)
        built = build_block(
            gateway=self.name,
            epoch=self.epoch,
            seq=seq,
            prev_hash=cursor.stored_hash,
            boot_id=bytes(16),
            sealed_mono_us=block,
            sealed_wall_us=block,
            series_high=self.high,
            series_root=self.root,
            chunks=(),
            batch=story.content(block),
            device_of=np.zeros(self.high + 1, np.uint32),
            secret=bytes(16),
        )
        args = (self.name, self.session, self.epoch, seq, built.data)
        reply = self.journal.append(*args).result(WAIT_S).replies[0]
        assert reply.ack.stored == seq, reply


def series_of(name: str) -> tuple[list[SeriesEntry], bytes]:
    """The series of a gateway, and the root of their table."""
    root, series = EMPTY_ROOT, []
    for number in range(1, 4):
        salt = sha256(f"{name} {number}".encode()).digest()[:16]
        key = SeriesKey(device="device-1", metric=f"metric-{number}")
        series.append(make_entry(number, 1, key, salt))
        root = roll(root, series[-1].leaf)
    return series, root
