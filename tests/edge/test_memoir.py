"""What was taught before a restart is known after it, before anybody says it again."""

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from edge import agent_parts, memoir
from edge.chunk import Chunk
from edge.clock import Clock
from edge.config import load
from edge.keys import find_key, make_key_file
from edge.memoir import Memoir
from edge.payload.said import NotData, Said, Unreadable
from edge.recognition import Recognition
from edge.store.lessons import Lesson
from edge.store.limits import BufferFull
from protos import sparkplug_pb2 as pb
from protos.records import Batch

DISCOVERY = json.dumps({
    "~": "devs/17", "stat_t": "~/state", "name": "Air", "unit_of_meas": "°C",
    "val_tpl": "{{ value_json.t }}", "avty_t": "~/alive", "dev": {"name": "Bedroom"},
}).encode()  # fmt: skip
BRIDGE = json.dumps([
    {"friendly_name": "plug", "definition": {"exposes": [{"property": "voltage", "unit": "V"}]}}
]).encode()  # fmt: skip
NOW_US = 1_700_000_000_000_000


def birth(*names: str) -> bytes:
    payload = pb.Payload(timestamp_ms=1_700_000_000_000, seq=0)
    payload.metrics.add(name="bdSeq", datatype=4, long_value=1)
    for alias, name in enumerate(names, 1):
        payload.metrics.add(name=name, alias=alias, datatype=10, double_value=1.5)
    return payload.SerializeToString()


def data(alias: int, **value: Any) -> bytes:
    payload = pb.Payload(timestamp_ms=1_700_000_001_000, seq=9)
    payload.metrics.add(alias=alias, **value)
    return payload.SerializeToString()


def restarted(*messages: tuple[str, bytes]) -> Recognition:
    """A reader after a restart, where these messages came before it."""
    before, after = Recognition(), Recognition()
    for topic, payload in messages:
        try:
            before.read(topic, payload, NOW_US)
        except NotData:
            continue
    after.recall(before.take_lessons())
    assert not before.take_lessons()
    assert not after.take_lessons(), "what is recalled is not to be kept again"
    return after


def only(told: Sequence[Said]) -> tuple[str, str, str, object]:
    (said,) = told
    (metric, _, unit, _), value = said.numbers[0]
    return (said.device, metric, unit, value)


def test_discovery_names_the_first_reading_after_a_restart() -> None:
    reader = restarted(("homeassistant/sensor/17/t/config", DISCOVERY))
    assert only(reader.read("devs/17/state", b'{"t":19.5}')) == ("Bedroom", "Air", "°C", 19.5)
    with pytest.raises(NotData, match="last will"):
        reader.read("devs/17/alive", b"yes")


def test_bridges_and_homes_are_known_after_a_restart() -> None:
    reader = restarted(
        ("zb/bridge/devices", BRIDGE),
        ("homie/s/air/t/$unit", "°C".encode()),
        ("valetudo/robot/$homie", b"4.0"),
    )
    assert only(reader.read("zb/plug", b'{"voltage":231}')) == ("plug", "voltage", "V", 231.0)
    assert only(reader.read("homie/s/air/t", b"21")) == ("s", "air/t", "°C", 21.0)
    assert only(reader.read("valetudo/robot/battery/level", b"88"))[0] == "robot"


def test_an_alias_is_read_by_the_birth_of_before_and_the_node_is_asked_all_the_same() -> None:
    reader = restarted(("spBv1.0/plant/NBIRTH/press", birth("flow", "head")))
    told = reader.read("spBv1.0/plant/NDATA/press", data(2, double_value=7.5), NOW_US)
    assert only(told) == ("plant/press", "head", "", 7.5)
    assert [one.topic for one in reader.take_asked()] == ["spBv1.0/plant/NCMD/press"]


def test_an_alias_whose_value_has_another_type_than_before_is_not_guessed() -> None:
    reader = restarted(("spBv1.0/plant/NBIRTH/press", birth("flow")))
    (said,) = reader.read("spBv1.0/plant/NDATA/press", data(1, string_value="x"), NOW_US)
    assert not said.texts
    assert "alias 1 is unknown" in said.faults[0]


def test_a_birth_that_gives_a_guessed_alias_another_name_is_told_as_a_fault() -> None:
    reader = restarted(("spBv1.0/plant/NBIRTH/press", birth("flow", "head")))
    reader.read("spBv1.0/plant/NDATA/press", data(2, double_value=7.5), NOW_US)
    told = reader.read("spBv1.0/plant/NBIRTH/press", birth("flow", "torque"), NOW_US)
    faults = [fault for said in told for fault in said.faults]
    assert len(faults) == 1
    assert "alias 2 was 'head'" in faults[0]
    assert "is 'torque' now" in faults[0]
    again = reader.read("spBv1.0/plant/NBIRTH/press", birth("flow", "torque"), NOW_US)
    assert not [fault for said in again for fault in said.faults], "it is told once"


def test_a_birth_that_says_what_the_last_one_said_is_not_kept_again() -> None:
    reader = Recognition()
    reader.read("spBv1.0/plant/NBIRTH/press", birth("flow"), NOW_US)
    assert [topic for topic, _ in reader.take_lessons()] == ["spBv1.0/plant/NBIRTH/press"]
    reader.read("spBv1.0/plant/NBIRTH/press", birth("flow"), NOW_US)
    assert not reader.take_lessons()


def test_a_lesson_that_nobody_understands_any_more_does_no_harm() -> None:
    reader = Recognition()
    reader.recall([
        ("homeassistant/sensor/1/config", b"{oops"), ("spBv1.0/g/NBIRTH/n", b"\xff"), ("x", b"1"),
    ])  # fmt: skip
    with pytest.raises(Unreadable):
        reader.read("x", b"nan")


class Shelf:
    """A buffer that is full as often as it is told to be."""

    def __init__(self, refusals: int = 0) -> None:
        self.kept: list[Sequence[Lesson]] = []
        self.refusals = refusals

    def keep_lessons(self, lessons: Sequence[Lesson]) -> "Future[None]":
        done: Future[None] = Future()
        if self.refusals:
            self.refusals -= 1
            done.set_exception(BufferFull("keep lessons", "no room", "later"))
        else:
            self.kept.append(lessons)
            done.set_result(None)
        return done


def test_what_a_full_buffer_refuses_is_offered_again_with_what_came_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memoir, "GATHER_S", 0.0)
    monkeypatch.setattr(memoir, "AGAIN_S", 0.0)

    async def remember() -> Shelf:
        shelf = Shelf(refusals=2)
        one = Memoir(shelf)
        one.add([("a", b"1"), ("b", b"1")])
        running = asyncio.create_task(one.run())
        while shelf.refusals:
            await asyncio.sleep(0)
        one.add([("a", b"2")])
        while not shelf.kept:
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        return shelf

    kept = dict(lesson for lessons in asyncio.run(remember()).kept for lesson in lessons)
    assert kept == {"a": b"2", "b": b"1"}


def test_what_waits_at_the_end_is_kept() -> None:
    async def remember() -> Shelf:
        shelf = Shelf()
        one = Memoir(shelf)
        running = asyncio.create_task(one.run())
        await asyncio.sleep(0)
        one.add([("a", b"1")])
        running.cancel()
        await asyncio.wait([running])
        return shelf

    assert asyncio.run(remember()).kept == [(("a", b"1"),)]


def test_an_agent_knows_from_its_buffer_what_the_one_before_was_taught(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text('[gateway]\nname = "gw-1"\n')
    config = load(tmp_path)
    make_key_file(config.buffer_key_path)
    keys = find_key(config.buffer_key_path, {})
    store = agent_parts.store(config, keys, Clock())
    _, reader = agent_parts.reader(config, store.load(), store.lessons())
    with pytest.raises(NotData):
        reader.explain("homeassistant/sensor/17/t/config", DISCOVERY)
    store.keep_lessons(reader.take_lessons()).result()
    store.commit(Chunk(Batch({}), counters={"ignored": 1})).result()
    store.close()

    store = agent_parts.store(config, keys, Clock())
    _, reader = agent_parts.reader(config, store.load(), store.lessons())
    told = reader.explain("devs/17/state", b'{"t":19.5}')
    store.close()
    assert only(told) == ("Bedroom", "Air", "°C", 19.5)
