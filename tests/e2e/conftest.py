"""The whole stack as real processes, and an oracle that accounts for every reading by value."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import pytest

from deploy.demo import tally
from deploy.demo.stack import Stack, new_stack, wait_until

Value = tuple[str, str, float | str]


@dataclass(slots=True)
class Oracle:
    """What was published and acknowledged, and what history says: (device, metric, value) counts.

    Every value is unique within its series, so a loss and a double cannot cancel out.
    """

    stack: Stack
    devices: int = 8
    published: Counter[Value] = field(default_factory=Counter)
    messages: int = 0

    async def publish(self, count: int, in_flight: int = 50) -> None:
        """Publish `count` messages at QoS 1; what got its PUBACK is in `published`."""
        async with self._client() as client:
            for _ in range(0, count, in_flight):
                await asyncio.gather(*(self._one(client) for _ in range(in_flight)))

    async def publish_until(self, stop: asyncio.Event, per_s: int = 400) -> None:
        """Publish about `per_s` messages a second, ten at a time, until told to stop."""
        async with self._client() as client:
            while not stop.is_set():
                await asyncio.gather(*(self._one(client) for _ in range(10)))
                await asyncio.sleep(10 / per_s)

    def _client(self) -> aiomqtt.Client:
        client = aiomqtt.Client(
            "127.0.0.1", self.stack.broker.port, identifier="oracle", max_inflight_messages=1000
        )
        client.pending_calls_threshold = 100
        return client

    async def _one(self, client: aiomqtt.Client) -> None:
        number = self.messages
        self.messages += 1
        device = f"oracle/{number % self.devices}"
        kind = number % 3
        told: dict[str, float | str]
        if kind == 0:  # flat JSON with a time of its own
            told = {"a": number + 0.25, "state": f"s{number}"}
            payload = json.dumps({"ts": time.time(), **told})
        elif kind == 1:  # flat JSON without one
            told = {"b": number + 0.5}
            payload = json.dumps(told)
        else:  # a bare scalar
            told = {"c": float(number)}
            payload, metric = str(number), "c"
        topic = f"{device}/{metric}" if kind == 2 else device
        await client.publish(topic, payload, qos=1, timeout=60)
        self.published.update((device, metric, value) for metric, value in told.items())

    def history(self) -> Counter[Value]:
        """Every value of the oracle's devices that the HTTP API gives."""
        found: Counter[Value] = Counter()
        for one in tally.series(self.stack):
            if one["device"].startswith("oracle/"):
                for _, number, text in tally.raw(self.stack, one["id"]):
                    value = text if number is None else number
                    assert value is not None
                    found[one["device"], one["metric"], value] += 1
        return found

    def check(self) -> None:
        """Wait until all is archived; then history is what was acknowledged, each reading once."""
        wait_until("the gateway's buffer is empty", self._drained, 90)
        found = self.history()
        lost, doubled = self.published - found, found - self.published
        assert (lost, doubled) == (Counter(), Counter())

    def _drained(self) -> bool:
        status = self.stack.edge_status()
        cloud = self.stack.try_get("/api/v1/status")
        return (
            cloud is not None
            and status["ingest"]["waiting"] == 0
            and status["buffer"]["rows"] == 0
            and cloud["history"]["readings"] >= self.published.total()
            and cloud["journal"]["head"] == cloud["journal"]["archived"]
        )


@pytest.fixture
def stack(tmp_path: Path, mosquitto: None) -> Iterator[Stack]:
    """A running, enrolled stack; its logs are shown when the test fails."""
    made = new_stack(tmp_path / "stack")
    try:
        made.prepare()
        made.start_cloud()
        made.enroll()
        made.start_edge()
        yield made
    finally:
        made.close()
        for half in (made.edge, made.cloud):
            if half.log.exists():
                print(f"--- {half.log.name}\n{half.tail(40)}")


@pytest.fixture
def oracle(stack: Stack) -> Oracle:
    return Oracle(stack)
