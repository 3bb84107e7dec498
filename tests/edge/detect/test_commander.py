"""Commands on their way to the broker: written down first, sent once, told and counted."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from edge.detect import commander as module
from edge.detect import watch_memory
from edge.detect.commander import NO_CONNECTION, Commander
from edge.detect.rules import Turn
from edge.settings_watch import Command, Watch, When
from protos.series import SeriesKey

WATCHES = {
    "hot": Watch(when=When.ABOVE, limit=80.0, command="valve"),
    "cold": Watch(when=When.BELOW, limit=2.0),
}
COMMANDS = {"valve": Command(topic="valve/set", open="shut", close="free", per_minute_max=600)}
KEY = SeriesKey("boiler", "temperature")


class Line:
    """Stands for aiomqtt's client; ``troubles`` are raised by the next publications."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.published: list[tuple[str, str]] = []
        self.on_disk: list[bool] = []
        self.troubles: list[Exception] = []
        self.messages = self

    async def __aenter__(self) -> "Line":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        await asyncio.Event().wait()

    async def publish(self, topic: str, payload: bytes, *_: object, **__: object) -> None:
        self.on_disk.append("hot" in self.file.read_text())
        if self.troubles:
            raise self.troubles.pop(0)
        self.published.append((topic, payload.decode()))


def turn(is_open: bool, watch: str = "hot") -> Turn:
    return Turn(watch, KEY, is_open, 0, 91.0, 1.1)


class Rig:
    def __init__(self, folder: Path) -> None:
        self.file = folder / watch_memory.NAME
        self.line = Line(self.file)
        self.commander = self.made()
        self.task = asyncio.create_task(self.commander.run())

    def made(self) -> Commander:
        made = Commander(
            "hut", WATCHES, COMMANDS, clients={"": lambda: self.line},  # type: ignore[dict-item, return-value]
            reads=lambda topic: False, path=self.file,
        )  # fmt: skip
        kept = watch_memory.load(self.file)
        made.restore([turn(True, watch) for watch in WATCHES if kept.get(watch)])
        return made

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0)

    async def end(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(module, "RECONNECT_S", 0.0)
    made = Rig(tmp_path)
    yield made
    await made.end()


async def test_a_command_is_on_the_disk_as_sent_before_it_leaves(rig: Rig) -> None:
    rig.commander.take([turn(True)])
    await rig.until(lambda: rig.line.published)
    rig.commander.take([turn(False)])
    await rig.until(lambda: len(rig.line.published) == 2)
    assert rig.line.published == [("valve/set", "shut"), ("valve/set", "free")]
    assert rig.line.on_disk == [True, False]


async def test_what_may_have_arrived_is_not_sent_again_but_told_and_counted(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.line.troubles.append(aiomqtt.MqttError("Operation timed out"))
    rig.commander.take([turn(True)])
    await rig.until(lambda: "may not have arrived" in caplog.text)
    rig.commander.take([turn(False)])
    await rig.until(lambda: rig.line.published)
    assert rig.line.published == [("valve/set", "free")]
    (standing,) = rig.commander.standings()
    assert (standing.sent, standing.failed, standing.waiting) == (1, 1, 0)


async def test_what_never_left_is_sent_over_the_next_connection(rig: Rig) -> None:
    rig.line.troubles.append(aiomqtt.MqttCodeError(NO_CONNECTION, "Could not publish message"))
    rig.commander.take([turn(True)])
    await rig.until(lambda: rig.line.published)
    assert len(rig.line.on_disk) == 2
    assert rig.commander.standings()[0].failed == 0


async def test_a_process_that_dies_before_it_wrote_a_command_down_gives_it_after_its_restart(
    rig: Rig,
) -> None:
    await rig.end()
    rig.commander.take([turn(True)])  # heard, and then the process died
    rig.commander = rig.made()
    rig.task = asyncio.create_task(rig.commander.run())
    rig.commander.take([turn(True)])  # nothing stood, so that the rule finds it anew
    await rig.until(lambda: rig.line.published)
    assert rig.line.published == [("valve/set", "shut")]


async def test_a_process_that_dies_after_it_gave_a_command_never_gives_it_again(rig: Rig) -> None:
    rig.commander.take([turn(True)])
    await rig.until(lambda: rig.line.published)
    await rig.end()
    rig.commander = rig.made()
    rig.task = asyncio.create_task(rig.commander.run())
    rig.commander.take([turn(False)])
    await rig.until(lambda: len(rig.line.published) == 2)
    assert rig.line.published == [("valve/set", "shut"), ("valve/set", "free")]


async def test_a_card_that_cannot_be_written_stops_no_command_and_is_told_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.commander.take([turn(True)])
    await rig.until(lambda: rig.line.published)
    rig.file.with_name(rig.file.name + ".new").mkdir()  # so that the next file cannot be made
    for is_open in (False, True):
        rig.commander.take([turn(is_open)])
        count = len(rig.line.published) + 1
        await rig.until(lambda n=count: len(rig.line.published) == n)
    assert [word for _, word in rig.line.published] == ["shut", "free", "shut"]
    assert caplog.text.count("could not keep what stands") == 1


async def test_what_a_watch_without_a_command_found_is_kept_too(rig: Rig) -> None:
    rig.commander.take([turn(True, "cold")])
    await rig.until(lambda: rig.file.exists() and "cold" in rig.file.read_text())
    await rig.end()
    rig.commander = rig.made()
    rig.commander.take([turn(True)])
    await rig.commander._memory.save()
    assert list(json.loads(rig.file.read_text())["open"]) == ["cold"]


@pytest.mark.parametrize("text", ["", "{", '{"open": 3}', '{"open": {"hot": [1]}}', "\xff"])
def test_a_file_of_what_stood_that_cannot_be_read_stops_nothing_and_is_told(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / watch_memory.NAME
    file.write_bytes(text.encode("latin-1"))
    assert watch_memory.load(file) == {}
    assert str(file) in caplog.text
