"""A gateway's buffer in memory, for a thousand of them in one process: chunks, blocks and acks.

It keeps the contract of `edge.uplink_session.Buffer` with none of the disk. A backlog is so many
equal chunks, whose blocks were made once (`Mould`) and are only given their header here; live
chunks are made as they come, and how old they are when the cloud has stored them is noted.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np

from edge.sync_effects import BufferState
from protos.block import GENESIS_HASH, MAGIC, MINOR, Block, ChunkRun, Header, build_block
from protos.codec.header import chain_hash, encode_header
from protos.codec.wire import prefixed
from protos.records import Batch, Kind, Quality, concat, table
from protos.series import SeriesEntry, SeriesKey, make_entry, root_of

SERIES: Final = 8
CHUNK_ROWS: Final = 256
"""Readings of one chunk of the backlog: about 2 KiB of a block."""
CHUNK_BYTES: Final = 2048
LIVE_ROWS: Final = SERIES
LIVE_BYTES: Final = 100
MOULD_CHUNKS_MAX: Final = 32
DEVICE_OF: Final = np.array([0, *[1] * SERIES], np.uint32)
ENTRIES: Final = tuple(
    make_entry(n, 1, SeriesKey("pump", f"channel {n}"), bytes(16)) for n in range(1, SERIES + 1)
)
ROOT: Final = root_of(ENTRIES)
T = TypeVar("T")


@dataclass(frozen=True)
class Mould:
    """A block without its header: of ``header`` only gateway, place and chain are to be set."""

    header: Header
    rest: bytes

    def cast(self, **place: Any) -> Block:
        """The block at a place."""
        header = replace(self.header, **place)
        written = encode_header(header)
        head, rest = MAGIC + bytes((MINOR,)), prefixed(written) + self.rest
        data = head + hashlib.sha256(head + rest).digest() + rest
        return Block(header, chain_hash(written), data)


def mould_of(batch: Batch) -> Mould:
    """The mould of a block that holds these rows."""
    block = build_block(
        gateway="gateway",
        epoch=1,
        seq=1,
        prev_hash=GENESIS_HASH,
        boot_id=bytes(16),
        sealed_mono_us=0,
        sealed_wall_us=0,
        series_high=SERIES,
        series_root=ROOT,
        chunks=(),
        batch=batch,
        device_of=DEVICE_OF,
        secret=bytes(range(16)),
    )
    before = len(MAGIC) + 1 + 32 + len(prefixed(encode_header(block.header)))
    return Mould(block.header, block.data[before:])


@cache
def backlog_mould(chunks: int, began_us: int) -> Mould:
    """So many chunks of a backlog, of the hours before ``began_us``."""
    return mould_of(rows_at(chunks * CHUNK_ROWS, began_us - 3_600_000_000, 100_000))


def rows_at(count: int, from_us: int, step_us: int) -> Batch:
    """Readings of all series in turn, of full precision: about 8 bytes each."""
    at = np.arange(count)
    ts = from_us + at * step_us
    value = np.random.default_rng(from_us % (1 << 32)).normal(20.0, 5.0, count)
    told = {"series": at % SERIES + 1, "ts": ts, "value": value, "arrival": ts + 1000}
    return table(Kind.NUMBERS, {**told, "quality": int(Quality.SENSOR)})


@dataclass
class LightBuffer:
    """One gateway's. ``aged`` is told of each live chunk when it was committed and when stored."""

    gateway: str
    aged: Callable[[float, float], None]
    began_us: int
    prefix: bytes = b""
    backlog: int = 0
    live: "deque[tuple[int, float, Batch]]" = field(default_factory=deque)
    rows: int = 0
    state: BufferState = field(init=False)
    _blocks: "deque[tuple[Block, tuple[float, ...]]]" = field(default_factory=deque)
    _chunks: int = 0

    def __post_init__(self) -> None:
        self.state = BufferState(
            epoch=0, head=0, head_hash=GENESIS_HASH, oldest_kept=1, stored=0, archived=0,
            series_high=SERIES, series_root=ROOT, unsealed_bytes=0, unsealed_rows=0,
        )  # fmt: skip
        self.prefix = hashlib.sha256(self.gateway.encode()).digest()[:12]

    def heap(self, chunks: int) -> None:
        """A backlog has grown."""
        self.backlog += chunks
        self.rows += chunks * CHUNK_ROWS

    def commit_live(self) -> None:
        """Readings of now."""
        batch = rows_at(LIVE_ROWS, time.time_ns() // 1000, 0)
        self._chunks += 1
        self.live.append((self._chunks, time.monotonic(), batch))
        self.rows += LIVE_ROWS

    def sync_state(self) -> "Future[BufferState]":
        waiting = self.backlog * CHUNK_BYTES + len(self.live) * LIVE_BYTES
        return _done(replace(self.state, unsealed_bytes=waiting, unsealed_rows=waiting // 8))

    def seal_next(
        self,
        *,
        bytes_target: int,
        mono_us: int,
        wall_us: int,
        newest_first: bool = False,
        urgent_only: bool = False,
    ) -> "Future[Block | None]":
        if urgent_only or not self.state.epoch or not (self.backlog or self.live):
            return _done(None)
        if self.backlog and not (newest_first and self.live):
            mould, first, count, since = self._of_backlog(bytes_target)
        else:
            mould, first, count, since = self._of_live(bytes_target)
        block = mould.cast(
            gateway=self.gateway,
            epoch=self.state.epoch,
            seq=self.state.head + 1,
            prev_hash=self.state.head_hash,
            sealed_mono_us=mono_us,
            sealed_wall_us=wall_us,
            chunks=(ChunkRun(self.prefix, first, count),),
        )
        self._blocks.append((block, since))
        self.state = replace(self.state, head=block.header.seq, head_hash=block.hash)
        return _done(block)

    def _of_backlog(self, bytes_target: int) -> tuple[Mould, int, int, tuple[float, ...]]:
        most = min(self.backlog, max(1, bytes_target // CHUNK_BYTES), MOULD_CHUNKS_MAX)
        count = 1 << (most.bit_length() - 1)
        self.backlog -= count
        first, self._chunks = self._chunks + 1, self._chunks + count
        return backlog_mould(count, self.began_us), first, count, ()

    def _of_live(self, bytes_target: int) -> tuple[Mould, int, int, tuple[float, ...]]:
        """The newest that fit, as the real buffer packs them."""
        count = min(len(self.live), max(1, bytes_target // LIVE_BYTES))
        taken = [self.live.pop() for _ in range(count)]
        batch = concat([batch for _, _, batch in reversed(taken)])
        return mould_of(batch), taken[-1][0], count, tuple(since_s for _, since_s, _ in taken)

    def blocks_from(self, seq: int, bytes_max: int) -> "Future[list[Block]]":
        found: list[Block] = []
        for block, _ in self._blocks:
            if block.header.seq >= seq and sum(len(one.data) for one in found) < bytes_max:
                found.append(block)
        return _done(found)

    def mark(self, stored: int, archived: int, generation: int = 0) -> "Future[None]":
        now_s = time.monotonic()
        for block, since in self._blocks:
            if self.state.stored < block.header.seq <= stored:
                for since_s in since:
                    self.aged(since_s, now_s)
        while self._blocks and self._blocks[0][0].header.seq <= archived:
            self._blocks.popleft()
        oldest = self._blocks[0][0].header.seq if self._blocks else self.state.head + 1
        self.state = replace(
            self.state, stored=max(stored, self.state.stored), archived=archived,
            oldest_kept=oldest, generation=generation or self.state.generation,
        )  # fmt: skip
        return _done(None)

    def begin_epoch(
        self,
        epoch: int,
        dropped: Sequence[ChunkRun],
        kept: tuple[int, int] | None = None,
        generation: int = 0,
    ) -> "Future[BufferState]":
        assert self.state.head == 0, "no gateway of this fleet loses its memory"
        self.state = replace(self.state, epoch=epoch, generation=generation)
        return _done(self.state)

    def entries_from(self, first: int, limit: int) -> "Future[list[SeriesEntry]]":
        return _done(list(ENTRIES[first - 1 : first - 1 + limit]))


def _done(value: T) -> "Future[T]":
    future: Future[T] = Future()
    future.set_result(value)
    return future
