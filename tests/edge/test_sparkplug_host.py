"""The Sparkplug host keeps out of the way of what collects."""

import asyncio
import sys
from types import TracebackType
from typing import Any

import aiomqtt
import pytest

from edge import sparkplug_host
from edge.payload.known import Publish
from edge.sparkplug_host import SparkplugHost


class Line:
    """Stands for aiomqtt's client: records the topics that are published to, hears nothing."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.messages = self

    async def __aenter__(self) -> "Line":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        return None

    async def subscribe(self, topic: str, qos: int) -> None:
        return None

    async def publish(self, topic: str, *_: object, **__: object) -> None:
        self.published.append(topic)

    def __aiter__(self) -> "Line":
        return self

    async def __anext__(self) -> Any:
        await asyncio.Event().wait()


async def test_a_library_that_does_not_load_ends_nothing_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sparkplug_host, "RECONNECT_S", 0.0)
    monkeypatch.setitem(sys.modules, "aiomqtt", None)  # as if it were not installed
    line = Line()
    caplog.set_level("INFO")
    host = SparkplugHost(lambda _topic, _will: line, "me")  # type: ignore[arg-type]
    host.add([Publish("spBv1.0/g/NCMD/n", b"rebirth", 0, False)])
    task = asyncio.create_task(host.run())
    async with asyncio.timeout(10):
        while "could not load the library aiomqtt" not in caplog.text:
            await asyncio.sleep(0)
        monkeypatch.setitem(sys.modules, "aiomqtt", aiomqtt)
        while "spBv1.0/g/NCMD/n" not in line.published:
            await asyncio.sleep(0)
    task.cancel()
    assert line.published[0] == host.topic
    assert caplog.text.count("could not load the library aiomqtt") == 1
