"""Gateways for the cloud benchmark: `python -m benchmarks.cloud_fleet FILE`, hundreds in a process.

Each holds a session of its own over mutual TLS and sends a block of ROWS readings every second,
those of the second before; it keeps what is not stored, and beyond the window it waits. Gateways of
one slot (a twentieth of a second) send the same readings, so that the simulator makes twenty blocks
a second and not a thousand: header, hash and stream are each gateway's own, and so is the moment
within the slot, for gateways do not send in step. Orders come on stdin, a
line each: `rate R` (blocks a second of each; 0 ends) and `end`. Once a second it tells on stdout
how things stand since the last order.
"""

import asyncio
import gc
import json
import pickle
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import grpc
import numpy as np

from edge.uplink_channel import Endpoint, open_channel
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, ChunkRun
from protos.limits import PROTOCOL_MAX, PROTOCOL_MIN
from protos.records import Batch, Kind, Quality, table
from protos.series import encode_entry
from protos.sync_pb2_grpc import SyncStub
from tests.reconnect.light_buffer import ENTRIES, ROOT, SERIES, Mould, mould_of

SLOTS: Final = 20
WINDOW_BYTES: Final = 1 << 20
"""Less than the cloud grants: a gateway that is not answered stops soon."""
RETRY_S: Final = 1.0
CONNECTING_MAX: Final = 64
LOOK_S: Final = 1.0


def rows_of(count: int, from_us: int, to_us: int) -> Batch:
    """Quantised readings of all series in turn, at whole milliseconds in (from, to]."""
    at = np.arange(count)
    ts = to_us - (count - 1 - at) * (to_us - from_us) // count // 1000 * 1000
    value = np.round(21 + np.random.default_rng(to_us % (1 << 32)).normal(0, 1.2, count), 1)
    told = {"series": at % SERIES + 1, "ts": ts, "value": value, "arrival": ts + 1000}
    return table(Kind.NUMBERS, {**told, "quality": int(Quality.SENSOR)})


@dataclass
class Moulds:
    """The block of each slot, made when the first of its gateways asks."""

    rows: int
    made: dict[int, Mould] = field(default_factory=dict)

    def at(self, beat: int, from_us: int, to_us: int) -> Mould:
        """The readings of one beat of one slot."""
        mould = self.made.get(beat)
        if mould is None:
            while len(self.made) > 2 * SLOTS:
                self.made.pop(next(iter(self.made)))
            mould = self.made[beat] = mould_of(rows_of(self.rows, from_us, to_us))
        return mould


@dataclass
class Told:
    """What all gateways of a process did since the last order; ``ages`` s from write to ack."""

    ages: list[float] = field(default_factory=list)
    since_s: float = field(default_factory=time.monotonic)
    held: int = 0
    faults: int = 0
    error: str = ""


@dataclass
class Gateway:
    """One gateway; ``unacked`` holds seq, bytes and when written."""

    endpoint: Endpoint
    name: str
    number: int
    fleet: "Fleet"
    epoch: int = 0
    head: int = 0
    head_hash: bytes = GENESIS_HASH
    archived: int = 0
    unacked: "deque[tuple[int, bytes, float]]" = field(default_factory=deque)
    waiting: int = 0
    live: bool = False
    session: int = 0

    async def run(self) -> None:
        """Sessions, one after another."""
        boot = self.number.to_bytes(16, "big")
        while True:
            channel = open_channel(self.endpoint)
            try:
                await self._hold(SyncStub(channel).Session(), boot)  # type: ignore[no-untyped-call]
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, EOFError) as error:
                self.fleet.told.error = str(error)[:200]
            finally:
                self.live = False
                await channel.close()
            self.fleet.told.faults += 1
            await asyncio.sleep(RETRY_S)

    async def _hold(self, call: Any, boot: bytes) -> None:
        async with self.fleet.connecting:
            await self._open(call, boot)
        self.live = True
        beating = asyncio.create_task(self._beat(call))
        try:
            while True:
                self._acked(await self._next(call))
        finally:
            beating.cancel()
            call.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _open(self, call: Any, boot: bytes) -> None:
        first = self.unacked[0][0] if self.unacked else self.head + 1
        hello = pb.Hello(
            protocol_min=PROTOCOL_MIN, protocol_max=PROTOCOL_MAX, gateway=self.name,
            epoch=self.epoch, head=self.head, head_hash=self.head_hash, oldest_kept=first,
            boot_id=boot, series_high=SERIES, series_root=ROOT, agent_version="a fleet",
            mono_us=time.monotonic_ns() // 1000,
        )  # fmt: skip
        await call.write(pb.GatewayMessage(hello=hello))
        resume = (await self._next(call)).resume
        self.session = resume.session
        if not self.epoch:
            asked = pb.EpochRequest(session=self.session, closed_epoch=0, why="new")
            await call.write(pb.GatewayMessage(epoch_request=asked))
            self.epoch = (await self._next(call)).epoch_grant.epoch
        if resume.series_known < SERIES:
            declare = pb.Declare(
                session=self.session, epoch=self.epoch, first=1,
                entries=[encode_entry(entry) for entry in ENTRIES],
            )  # fmt: skip
            await call.write(pb.GatewayMessage(declare=declare))
            await self._next(call)
        self._stored(resume.stored)
        for seq, data, _ in list(self.unacked):
            await call.write(self._message(seq, data))

    async def _next(self, call: Any) -> pb.CloudMessage:
        while True:
            message: Any = await call.read()
            if message is grpc.aio.EOF:
                raise EOFError("the cloud ended the session")
            if message.HasField("fault"):
                raise EOFError(message.fault.message)
            if message.WhichOneof("body") not in ("terms", "model_offers"):
                return cast("pb.CloudMessage", message)

    def _acked(self, message: pb.CloudMessage) -> None:
        if message.HasField("ack"):
            self.archived = message.ack.archived
            self._stored(message.ack.stored)

    def _stored(self, stored: int) -> None:
        now = time.monotonic()
        while self.unacked and self.unacked[0][0] <= stored:
            _, data, since = self.unacked.popleft()
            self.waiting -= len(data)
            self.fleet.told.ages.append(now - since)

    async def _beat(self, call: Any) -> None:
        slot = self.number % SLOTS
        while True:
            every = 1 / self.fleet.rate if self.fleet.rate else LOOK_S
            now = time.time()
            at = (now // every + 1) * every + every * slot / SLOTS
            own = self.number // SLOTS / len(self.fleet.gateways)
            await asyncio.sleep(at - now + every * own)
            if not self.fleet.rate:
                continue
            if self.waiting > WINDOW_BYTES:
                self.fleet.told.held += 1
                continue
            to_us = round(at * 1e6) // 1000 * 1000
            beat = to_us * SLOTS + slot
            mould = self.fleet.moulds.at(beat, to_us - round(every * 1e6), to_us)
            await call.write(self._made(mould))

    def _made(self, mould: Mould) -> pb.GatewayMessage:
        prefix = self.number.to_bytes(12, "big")
        block = mould.cast(
            gateway=self.name, epoch=self.epoch, seq=self.head + 1, prev_hash=self.head_hash,
            sealed_mono_us=time.monotonic_ns() // 1000, sealed_wall_us=time.time_ns() // 1000,
            chunks=(ChunkRun(prefix, self.head + 1, 1),),
        )  # fmt: skip
        self.head, self.head_hash = block.header.seq, block.hash
        self.unacked.append((self.head, block.data, time.monotonic()))
        self.waiting += len(block.data)
        return self._message(self.head, block.data)

    def _message(self, seq: int, data: bytes) -> pb.GatewayMessage:
        block = pb.BlockData(session=self.session, epoch=self.epoch, seq=seq, data=data)
        return pb.GatewayMessage(block=block)


@dataclass
class Fleet:
    """All of one process."""

    moulds: Moulds
    gateways: list[Gateway] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    rate: float = 0.0
    connecting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTING_MAX))
    orders: int = 0

    async def run(self, words: asyncio.StreamReader) -> None:
        """Until told to end."""
        running = [asyncio.create_task(one.run()) for one in self.gateways]
        running.append(asyncio.create_task(self._tell()))
        while (order := (await words.readline()).decode().split()) and order[0] != "end":
            self.rate, self.told = float(order[1]), Told()
            self.orders += 1
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _tell(self) -> None:
        while True:
            asked_s = time.monotonic()
            await asyncio.sleep(LOOK_S)
            lag_s, told = time.monotonic() - asked_s - LOOK_S, self.told
            ages = np.array(told.ages) if told.ages else np.zeros(1)
            p50, p99 = np.percentile(ages, [50, 99]).tolist()
            print(json.dumps({
                "orders": self.orders,
                "live": sum(one.live for one in self.gateways),
                "drained": sum(one.archived == one.head and one.live for one in self.gateways),
                "readings": sum(one.head for one in self.gateways) * self.moulds.rows,
                "seconds": time.monotonic() - told.since_s, "acks": len(told.ages),
                "held": told.held, "faults": told.faults, "error": told.error,
                "ack_p50_ms": p50 * 1e3, "ack_p99_ms": p99 * 1e3, "lag_ms": lag_s * 1e3,
            }), flush=True)  # fmt: skip


async def main() -> None:
    """One fleet, from the file named on the command line."""
    endpoint, papers, first, rows = pickle.loads(Path(sys.argv[1]).read_bytes())
    fleet = Fleet(Moulds(rows))
    for number, one in enumerate(papers):
        place = Endpoint(certificate_pem=one.certificate_pem, key_pem=one.key_pem, **endpoint)
        fleet.gateways.append(Gateway(place, one.name, first + number, fleet))
    gc.disable()  # a standstill of the simulator is none of the cloud
    words = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    await fleet.run(words)


if __name__ == "__main__":
    asyncio.run(main())
