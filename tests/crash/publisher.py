"""Sensors at a steady rate, QoS 1, each message on the wire once: nothing is ever sent again.

What a broker that is away cannot take, they keep and make up for when it is back.

A client library repeats what a killed broker did not acknowledge; both copies may then be true
deliveries. Here a message that is not acknowledged is given up, so that every copy the agent sees
is the broker's own redelivery.
"""

import asyncio
from contextlib import suppress

from tests.crash.line import Loop
from tests.crash.mqtt_tap import PUBACK, Packets
from tests.crash.verdict import message

TICK_S = 0.02
CATCH_UP = 4  # times the rate, while there is something to make up for
IN_FLIGHT_MAX = 5000
_NAME = b"crash-sensors"
CONNECT = bytes([16, 12 + len(_NAME)]) + b"\0\4MQTT\4\2\0\0\0" + bytes([len(_NAME)]) + _NAME


def packet(number: int) -> bytes:
    """A PUBLISH with QoS 1 of MQTT 3.1.1."""
    topic, payload = message(number)
    body = len(topic).to_bytes(2) + topic.encode()
    body += (number % 65535 + 1).to_bytes(2) + payload
    assert len(body) < 128
    return bytes([0x32, len(body)]) + body


class Publisher:
    """Publishes numbered messages to a broker that may be killed at any time."""

    def __init__(self, loop: Loop, port: int, per_s: int, first: int = 0) -> None:
        self._port = port
        self._first = first
        self._per_s = per_s
        self._stopping = False
        self.sent = self.accepted = 0
        self._lost_with_connections = 0
        self._began = 0.0
        self._task = asyncio.run_coroutine_threadsafe(self._run(), loop.loop)

    def stop(self) -> None:
        """No more messages; what the broker has acknowledged by now is in ``accepted``."""
        self._stopping = True
        self._task.result(30)

    async def _run(self) -> None:
        self._began = asyncio.get_running_loop().time()
        while not self._stopping:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    await self._publish(reader, writer)
                finally:
                    writer.transport.abort()
            self._lost_with_connections = self.sent - self.accepted
            await asyncio.sleep(0.05)

    async def _publish(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONNECT)
        await reader.readexactly(4)
        hearing = asyncio.create_task(self._hear(reader))
        while not self._stopping and not hearing.done():
            waiting = self.sent - self.accepted - self._lost_with_connections
            if waiting < IN_FLIGHT_MAX:
                begin = self._first + self.sent
                due = self._due()
                writer.write(b"".join(map(packet, range(begin, begin + due))))
                self.sent += due
            await writer.drain()
            await asyncio.sleep(TICK_S)
        for _ in range(100):
            if hearing.done() or self.accepted + self._lost_with_connections >= self.sent:
                break
            await asyncio.sleep(0.05)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)

    def _due(self) -> int:
        """How many messages are to be sent now."""
        elapsed = asyncio.get_running_loop().time() - self._began
        most = max(1, int(CATCH_UP * self._per_s * TICK_S))
        return min(most, max(0, int(elapsed * self._per_s) - self.sent))

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        packets = Packets()
        with suppress(OSError):
            while data := await reader.read(65536):
                self.accepted += sum(kind == PUBACK for kind, _, _ in packets.feed(data))
