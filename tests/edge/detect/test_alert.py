"""Alerts: told on a real broker at once, kept while it is away, bounded, put right after a kill."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from edge.detect import alert
from edge.detect.alert import Alerts
from edge.detect.standing import Naming, Standing
from tests.edge.detect.occurring import CLOSED, OPENED, UPDATED, occurrence
from tests.edge.mosquitto import Mosquitto

STATE = "tidegate/anomaly/gw/pump/$state"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.stop()


def alerts_at(port: int, discovery: str = "homeassistant") -> Alerts:
    naming = Naming("gw", "tidegate/anomaly", discovery)

    def connect() -> aiomqtt.Client:
        return aiomqtt.Client("127.0.0.1", port, identifier="tidegate-gw-alerts")

    return Alerts(connect, Standing(naming, lambda: False))


@asynccontextmanager
async def running(alerts: Alerts) -> AsyncIterator[None]:
    task = asyncio.create_task(alerts.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Heard:
    """A subscriber to everything, which waits for what it was promised."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.messages: list[aiomqtt.Message] = []

    async def until(self, topic: str, **fields: Any) -> dict[str, Any]:
        """The first message of a topic whose JSON has these fields."""
        for said in self.said(topic):
            if fields.items() <= (said or {}).items():
                return dict(said)
        async with asyncio.timeout(20):
            async for message in self._client.messages:
                self.messages.append(message)
                said = msgspec.json.decode(bytes(message.payload or b"null"))
                if str(message.topic) == topic and fields.items() <= (said or {}).items():
                    return dict(said)
        raise AssertionError("the connection ended")

    def said(self, topic: str) -> list[Any]:
        found = [one for one in self.messages if str(one.topic) == topic]
        return [msgspec.json.decode(bytes(one.payload or b"null")) for one in found]


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[Heard]:
    async with aiomqtt.Client("127.0.0.1", port, identifier="listener") as client:
        await client.subscribe("#", qos=1)
        yield Heard(client)


@pytest.mark.broker
async def test_an_episode_is_told_with_its_state_and_sensor_once_each_at_qos_1(
    broker: Mosquitto,
) -> None:
    alerts = alerts_at(broker.port)
    async with listening(broker.port) as heard, running(alerts):
        alerts.add([occurrence(OPENED)])
        on = await heard.until(STATE, state="ON")
        assert on["episodes"][0]["peak"] == 7.5
        alerts.add([occurrence(UPDATED), occurrence(CLOSED)])
        await heard.until(STATE, state="OFF")
        events = heard.said("tidegate/anomaly/gw/pump/flow")
        assert [one["event"] for one in events] == ["opened", "ended"]
        assert all(one.qos == 1 for one in heard.messages)
    async with listening(broker.port) as late:
        await late.until("homeassistant/binary_sensor/tidegate_gw/pump/config", qos=1)
        assert [one["state"] for one in late.said(STATE)] in ([], ["OFF"]), "it is retained"


@pytest.mark.broker
async def test_what_a_broker_was_away_for_is_told_when_it_is_back(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert, "RECONNECT_S", 0.05)
    monkeypatch.setattr(alert, "RECONNECT_S_MAX", 0.05)
    alerts = alerts_at(broker.port, discovery="")
    await asyncio.to_thread(broker.stop)
    async with running(alerts):
        alerts.add([occurrence(OPENED, 1), occurrence(OPENED, 2, metric="heat")])
        await asyncio.to_thread(broker.start)
        async with listening(broker.port) as heard:
            await heard.until(STATE, count=2)


@pytest.mark.broker
async def test_a_state_that_a_killed_agent_left_on_the_broker_is_put_right(
    broker: Mosquitto,
) -> None:
    left = [(STATE, b'{"state":"ON"}'), (STATE.replace("pump", "fan"), b'{"state":"ON"}')]
    await asyncio.to_thread(broker.publish, left, retain=True)
    alerts = alerts_at(broker.port, discovery="")
    alerts.resume([occurrence(UPDATED)])
    async with listening(broker.port) as heard, running(alerts):
        await heard.until(STATE.replace("pump", "fan"), state="OFF")
        await heard.until(STATE, state="ON", count=1)
        assert heard.said("tidegate/anomaly/gw/pump/flow") == [], "it was told before"


async def test_the_queue_is_bounded_and_what_gives_way_is_counted() -> None:
    alerts = alerts_at(1, discovery="")
    alerts.add([occurrence(OPENED, n) for n in range(alert.WAITING_MAX + 5)])
    assert alerts.told.dropped == 5
    assert alerts.waiting == alert.WAITING_MAX + 1, "of the states the newest"


class Line:
    """Stands for aiomqtt's client where no broker is to be reached."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.messages = self._none()

    async def _none(self) -> AsyncIterator[aiomqtt.Message]:
        await asyncio.Event().wait()
        yield  # type: ignore[misc]

    async def __aenter__(self) -> "Line":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def subscribe(self, topic: str, qos: int) -> None: ...

    async def publish(self, topic: str, *_: object, **__: object) -> None:
        self.published.append(topic)


async def until_published(line: Line) -> None:
    async with asyncio.timeout(10):
        while not line.published:
            await asyncio.sleep(0)


async def test_what_keeps_it_from_its_broker_ends_nothing_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alert, "RECONNECT_S", 0.0)
    line, refusals = Line(), iter([True, True, True])

    def connect() -> Line:
        if next(refusals, False):
            raise OSError("no such file: password")
        return line

    caplog.set_level("INFO")
    alerts = Alerts(connect, Standing(Naming("gw", "t"), lambda: False))  # type: ignore[arg-type]
    alerts.add([occurrence(OPENED)])
    async with running(alerts):
        await until_published(line)
    assert caplog.text.count("no such file: password") == 1


async def test_a_library_that_does_not_load_ends_nothing_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alert, "RECONNECT_S", 0.0)
    monkeypatch.setitem(sys.modules, "aiomqtt", None)  # as if it were not installed
    line = Line()
    caplog.set_level("INFO")
    standing = Standing(Naming("gw", "t"), lambda: False)
    alerts = Alerts(lambda: line, standing)  # type: ignore[arg-type, return-value]
    alerts.add([occurrence(OPENED)])
    async with running(alerts):
        async with asyncio.timeout(10):
            while "could not load the library aiomqtt" not in caplog.text:
                await asyncio.sleep(0)
        monkeypatch.setitem(sys.modules, "aiomqtt", aiomqtt)
        await until_published(line)
    assert caplog.text.count("could not load the library aiomqtt") == 1
