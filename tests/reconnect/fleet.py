"""Some hundreds of gateways in one process: the product's own uplink and session for each.

Orders come on stdin, a word a line; once a second it says on stdout, as JSON, how things stand.
"""

import asyncio
import json
import math
import pickle
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from edge.clock import Clock
from edge.store.store import Store
from edge.uplink import Uplink
from edge.uplink_channel import Endpoint
from edge.uplink_state import Line
from protos import sync_pb2 as pb
from tests.reconnect.light_buffer import MOULD_CHUNKS_MAX, LightBuffer, backlog_mould

LIVE_EVERY_S: Final = 10.0
LOOK_S: Final = 1.0


@dataclass
class Gateway:
    """One of the fleet; ``ages`` are of live chunks committed while its session was live."""

    buffer: LightBuffer
    uplink: Uplink

    @property
    def is_live(self) -> bool:
        return self.uplink.state.line is Line.LIVE

    @property
    def is_drained(self) -> bool:
        buffer, state = self.buffer, self.uplink.state
        sent = not buffer.backlog and not buffer.live
        return self.is_live and sent and state.archived == state.head == buffer.state.head


@dataclass
class Fleet:
    """All of one process."""

    endpoint: dict[str, Any]
    gateways: list[Gateway] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    counted_from_s: float = math.inf
    lag_s: float = 0.0
    is_collecting: bool = True
    began_us: int = field(default_factory=lambda: time.time_ns() // 1000)

    def add(self, papers: Any, seed: int) -> None:
        """One gateway more."""
        buffer = LightBuffer(papers.name, self._aged, self.began_us)
        boot = seed.to_bytes(16, "big")
        uplink = Uplink(
            gateway=papers.name,
            endpoint=Endpoint(
                certificate_pem=papers.certificate_pem, key_pem=papers.key_pem, **self.endpoint
            ),
            buffer=cast("Store", buffer),
            clock=Clock(boot_id=boot, synced=lambda: True),
            agent_version="a fleet",
            report=lambda: pb.Status(backlog_rows=buffer.backlog),
            chance=random.Random(seed),
        )
        self.gateways.append(Gateway(buffer, uplink))

    async def run(self, orders: asyncio.StreamReader) -> None:
        """Until told to end."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one.uplink.run()) for one in self.gateways]
            for number, one in enumerate(self.gateways):
                pause_s = LIVE_EVERY_S * number / len(self.gateways)
                running.append(tasks.create_task(self._collect(one, pause_s)))
            running.append(tasks.create_task(self._tell()))
            while (order := (await orders.readline()).decode().split()) and order[0] != "end":
                self._obey(*order)
            for task in running:
                task.cancel()

    def _aged(self, since_s: float, stored_s: float) -> None:
        if since_s >= self.counted_from_s:
            self.ages.append(stored_s - since_s)

    def _obey(self, order: str, number: str = "0") -> None:
        match order:
            case "heap":
                for one in self.gateways:
                    one.buffer.heap(int(number))
            case "count":
                self.counted_from_s = time.monotonic()
            case "stop":
                self.is_collecting = False

    async def _collect(self, one: Gateway, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        while self.is_collecting:
            if one.is_live:  # what is taken in while the cloud is away is backlog: see `heap`
                one.buffer.commit_live()
                one.uplink.wake()
            await asyncio.sleep(LIVE_EVERY_S)

    async def _tell(self) -> None:
        while True:
            asked_s = time.monotonic()
            await asyncio.sleep(LOOK_S)
            self.lag_s = max(self.lag_s, time.monotonic() - asked_s - LOOK_S)
            waiting = [time.monotonic() - since for one in self.gateways
                       for _, since, _ in one.buffer.live]  # fmt: skip
            print(json.dumps({
                "live": sum(one.is_live for one in self.gateways),
                "drained": sum(one.is_drained for one in self.gateways),
                "rows": sum(one.buffer.rows for one in self.gateways),
                "backlog": sum(one.buffer.backlog for one in self.gateways),
                "ages": self.ages,
                "waiting_s": max(waiting, default=0.0),
                "lag_s": self.lag_s,
                "attempts": sum(one.uplink.state.attempts for one in self.gateways),
                "error": next((one.uplink.state.error for one in self.gateways
                               if one.uplink.state.error), ""),
            }), flush=True)  # fmt: skip


async def main() -> None:
    """One fleet, from the file named on the command line."""
    endpoint, papers, first = pickle.loads(Path(sys.argv[1]).read_bytes())
    fleet = Fleet(endpoint)
    for power in range(MOULD_CHUNKS_MAX.bit_length()):
        backlog_mould(1 << power, fleet.began_us)
    for number, one in enumerate(papers):
        fleet.add(one, first + number)
    orders = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    await fleet.run(orders)


if __name__ == "__main__":
    asyncio.run(main())
