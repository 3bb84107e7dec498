"""Alerts: told on the local broker at once, kept while it is away, bounded."""

import asyncio
import sys
from typing import Any

import aiomqtt
import msgspec
import pytest

from edge.detect import alert
from edge.detect.alert import Alerts, Anomaly


def anomaly(ts: int, device: str = "pump") -> Anomaly:
    return Anomaly(
        gateway="g", device=device, metric="flow", ts=ts, value=9.0, score=7.0, threshold=4.0,
        model="residual@1",
    )  # fmt: skip


class Line:
    """Stands for aiomqtt's client: records what is published; the first connections may fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.published: list[tuple[str, dict[str, Any], int]] = []

    async def __aenter__(self) -> "Line":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def publish(self, topic: str, payload: bytes, qos: int, timeout: float) -> None:
        if self.failures:
            self.failures -= 1
            raise aiomqtt.MqttError("connection lost")
        self.published.append((topic, msgspec.json.decode(payload), qos))


async def until_published(line: Line, count: int) -> None:
    async with asyncio.timeout(10):
        while len(line.published) < count:
            await asyncio.sleep(0)


async def test_an_anomaly_is_published_with_all_it_says() -> None:
    line = Line()
    alerts = Alerts(lambda: line, "tidegate/anomaly")  # type: ignore[arg-type, return-value]
    task = asyncio.create_task(alerts.run())
    alerts.add([anomaly(5)])
    await until_published(line, 1)
    task.cancel()
    topic, said, qos = line.published[0]
    assert (topic, qos) == ("tidegate/anomaly/g/pump/flow", 1)
    assert said["score"] == 7.0
    assert said["model"] == "residual@1"


async def test_what_a_lost_connection_took_is_told_again_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alert, "RECONNECT_S", 0.0)
    line = Line(failures=2)
    alerts = Alerts(lambda: line, "tidegate/anomaly")  # type: ignore[arg-type, return-value]
    alerts.add([anomaly(1), anomaly(2), anomaly(3)])
    task = asyncio.create_task(alerts.run())
    await until_published(line, 3)
    task.cancel()
    assert [said["ts"] for _, said, _ in line.published] == [1, 2, 3]


async def test_the_queue_is_bounded_and_what_gives_way_is_counted() -> None:
    line = Line()
    alerts = Alerts(lambda: line, "tidegate/anomaly")  # type: ignore[arg-type, return-value]
    alerts.add([anomaly(n) for n in range(alert.WAITING_MAX + 5)])
    assert alerts.told.dropped == 5
    task = asyncio.create_task(alerts.run())
    await until_published(line, alert.WAITING_MAX)
    task.cancel()
    assert line.published[0][1]["ts"] == 5


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
    alerts = Alerts(connect, "tidegate/anomaly")  # type: ignore[arg-type]
    alerts.add([anomaly(1)])
    task = asyncio.create_task(alerts.run())
    await until_published(line, 1)
    task.cancel()
    assert caplog.text.count("no such file: password") == 1


async def test_a_library_that_does_not_load_ends_nothing_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alert, "RECONNECT_S", 0.0)
    monkeypatch.setitem(sys.modules, "aiomqtt", None)  # as if it were not installed
    line = Line()
    caplog.set_level("INFO")
    alerts = Alerts(lambda: line, "tidegate/anomaly")  # type: ignore[arg-type, return-value]
    alerts.add([anomaly(1)])
    task = asyncio.create_task(alerts.run())
    async with asyncio.timeout(10):
        while "could not load the library aiomqtt" not in caplog.text:
            await asyncio.sleep(0)
    monkeypatch.setitem(sys.modules, "aiomqtt", aiomqtt)
    await until_published(line, 1)
    task.cancel()
    assert caplog.text.count("could not load the library aiomqtt") == 1


def test_a_name_with_wildcards_still_makes_a_topic() -> None:
    assert alert.topic_of("t", anomaly(1, "a+b/#")) == "t/g/a_b/_/flow"
