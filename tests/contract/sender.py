"""A gateway as a journal sees it: hellos, series, and blocks that follow one another."""

import hashlib
from concurrent.futures import Future

import numpy as np

from cloud.journal.contract import Journal
from cloud.journal.cursor import Decision
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, Block, ChunkRun, build_block
from protos.records import Batch, Kind
from protos.series import EMPTY_ROOT, SeriesEntry, SeriesKey, make_entry, roll

WAIT_S = 30
WINDOW_BYTES = 4 << 20


class Sender:
    """One gateway's stream into a journal; every call waits for its answer unless it says not."""

    def __init__(self, journal: Journal, name: str, boot: int = 1) -> None:
        self.journal, self.name = journal, name
        self.boot_id = boot.to_bytes(16, "big")
        self.session = self.epoch = self.stored = 0
        self.blocks: list[Block] = []
        self.series: list[SeriesEntry] = []
        self.root = EMPTY_ROOT
        self.chunk = 0

    def hello(self) -> list[pb.CloudMessage]:
        """Open a session; what the journal says to it."""
        hello = pb.Hello(
            protocol_min=1,
            protocol_max=1,
            gateway=self.name,
            epoch=self.epoch,
            head=len(self.blocks),
            head_hash=self.blocks[-1].hash if self.blocks else GENESIS_HASH,
            oldest_kept=1,
            boot_id=self.boot_id,
            series_high=len(self.series),
            series_root=self.root,
        )
        replies = self.journal.hello(self.name, hello, WINDOW_BYTES).result(WAIT_S).replies
        if replies[0].HasField("resume"):
            self.session = replies[0].resume.session
        return list(replies)

    def begin(self) -> "Sender":
        """Session and first epoch, as a new gateway gets them."""
        self.hello()
        self.next_epoch()
        return self

    def next_epoch(self) -> pb.EpochGrant:
        """Close the epoch and take the next; blocks and series begin anew."""
        request = pb.EpochRequest(session=self.session, closed_epoch=self.epoch, why="a test")
        decision = self.journal.request_epoch(self.name, request).result(WAIT_S)
        grant = decision.replies[0].epoch_grant
        self.epoch = grant.epoch
        self.blocks, self.series, self.root = [], [], EMPTY_ROOT
        return grant

    def declare(self, count: int = 1, device_no: int = 1) -> Decision:
        """Declare `count` more series of one device."""
        first = len(self.series) + 1
        for number in range(first, first + count):
            salt = hashlib.sha256(f"{self.name} {number}".encode()).digest()[:16]
            key = SeriesKey(device=f"device-{device_no}", metric=f"metric-{number}")
            self.series.append(make_entry(number, device_no, key, salt))
            self.root = roll(self.root, self.series[-1].leaf)
        args = (self.name, self.session, self.epoch, first, self.series[first - 1 :])
        return self.journal.declare(*args).result(WAIT_S)

    def make(self, size: int = 0, mark: int = 0, batch: Batch | None = None) -> Block:
        """The next block, of `batch`, or of readings that are at least `size` bytes.

        `mark` makes blocks of one place differ.
        """
        self.chunk += 1
        block = build_block(
            gateway=self.name,
            epoch=self.epoch,
            seq=len(self.blocks) + 1,
            prev_hash=self.blocks[-1].hash if self.blocks else GENESIS_HASH,
            boot_id=self.boot_id,
            sealed_mono_us=self.chunk,
            sealed_wall_us=1_700_000_000_000_000 + self.chunk,
            series_high=len(self.series),
            series_root=self.root,
            chunks=(ChunkRun(self.boot_id[:12], self.chunk, 1),),
            batch=batch or _batch(self.chunk, size, mark),
            device_of=np.zeros(len(self.series) + 1, np.uint32),
            secret=bytes(16),
        )
        self.blocks.append(block)
        return block

    def post(self, seq: int) -> "Future[Decision]":
        """Send a block made before, without waiting."""
        data = self.blocks[seq - 1].data
        return self.journal.append(self.name, self.session, self.epoch, seq, data)

    def send(self, size: int = 0, batch: Batch | None = None) -> Block:
        """Make the next block, have it stored, and check that it was acknowledged."""
        block = self.make(size, batch=batch)
        reply = self.post(len(self.blocks)).result(WAIT_S).replies[0]
        assert reply.ack.stored == len(self.blocks), reply
        self.stored = reply.ack.stored
        return block


def _batch(number: int, size: int, mark: int) -> Batch:
    """Readings of the gateway itself; incompressible, about eight bytes each."""
    count = max(1, size // 8 + 1)
    drawn = np.random.default_rng([number, mark])
    return Batch(
        {
            Kind.NUMBERS: {
                "series": np.zeros(count, np.uint32),
                "ts": 1_700_000_000_000_000 + np.arange(count, dtype=np.int64),
                "value": drawn.random(count),
                "quality": np.zeros(count, np.uint8),
                "arrival": np.full(count, number, np.int64),
            }
        }
    )
