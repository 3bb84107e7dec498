"""Laws of recognition: nothing raises, what is learned holds, plans agree with reading."""

import json
import random
import tomllib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalog import Catalog
from edge.message import Message
from edge.payload.known import RECENT_MAX, WAYS_MAX, Bounded, Known
from edge.payload.offer import LAST_RANK, OBJECT_RANK, SHAPE_RANK, TOPIC_RANK
from edge.payload.plan import OTHER_SHAPE
from edge.payload.registry import CONVENTIONS
from edge.payload.rules import Rules, TopicRule
from edge.payload.said import NotData, ReadingLimits, Said, Unreadable
from edge.payload.sparkplug_node import METRICS_MAX, Nodes
from edge.payload.timestamp import time_us
from edge.reading import Reader
from edge.reading_rows import AHEAD_US_MAX
from edge.recognition import Recognition
from edge.redelivery import Redelivery
from protos import sparkplug_pb2 as pb
from protos.records import Kind, Quality
from tests.edge.test_payload_vectors import VECTORS, payload

ARRIVAL_US = 1_700_000_000_000_000
TOPICS = sorted({str(vector["topic"]) for _, vector in VECTORS})
PAYLOADS = sorted({payload(vector) for _, vector in VECTORS if len(payload(vector)) < 4096})


def outcome(reader: Recognition, topic: str, data: bytes) -> list[Said] | str:
    """What was said, or why nothing was; anything that is our own fault fails."""
    try:
        told = list(reader.read(topic, data, ARRIVAL_US))
    except NotData as error:
        return error.reason
    except Unreadable as error:
        reason = error.reason
    else:
        return told
    assert "our fault" not in reason, (topic, data, reason)
    return reason


@settings(deadline=None)
@given(st.sampled_from(TOPICS) | st.text(max_size=40), st.binary(max_size=200))
def test_no_bytes_on_any_topic_raise(topic: str, data: bytes) -> None:
    outcome(Recognition(), topic, data)


@settings(deadline=None)
@given(st.sampled_from(TOPICS), st.sampled_from(PAYLOADS), st.randoms(use_true_random=False))
def test_no_damaged_payload_raises(topic: str, data: bytes, chance: random.Random) -> None:
    damaged = bytearray(data)
    for _ in range(chance.randint(0, 4)):
        if damaged:
            at = chance.randrange(len(damaged))
            match chance.randint(0, 3):
                case 0:
                    damaged[at] = chance.randrange(256)
                case 1:
                    del damaged[at:]
                case 2:
                    damaged[at:at] = damaged[at : at + chance.randint(1, 30)]
                case _:
                    damaged[at : at + 1] = chance.choice([b"null", b"[]", b"{}", b"1e999", b'""'])
    reader = Recognition()
    outcome(reader, topic, bytes(damaged))
    reader.learn(topic, bytes(damaged))
    outcome(reader, topic, bytes(damaged))


def test_no_payload_of_one_convention_raises_on_a_topic_of_another() -> None:
    for topic in TOPICS:
        reader = Recognition()
        for data in PAYLOADS:
            outcome(reader, topic, data)


def test_conventions_are_asked_in_a_stated_order_without_a_name_twice() -> None:
    ranks = [one.rank for one in CONVENTIONS]
    assert ranks == sorted(ranks)
    assert set(ranks) == {TOPIC_RANK, SHAPE_RANK, OBJECT_RANK, LAST_RANK}
    assert len({one.name for one in CONVENTIONS}) == len(CONVENTIONS)
    assert [one.name for one in CONVENTIONS][-2:] == ["json", "scalar"]


PLANNED = [(stem, vector) for stem, vector in VECTORS if "readings" in vector]


@pytest.mark.parametrize(
    ("stem", "vector"), PLANNED, ids=[f"{stem}: {vector['name']}" for stem, vector in PLANNED]
)
def test_a_plan_gives_what_reading_gives(stem: str, vector: dict[str, object]) -> None:
    named = vector.get("rules", [])
    assert isinstance(named, list)
    reader = Recognition(rules=Rules([TopicRule(**rule) for rule in named]))
    topic, data = str(vector["topic"]), payload(vector)
    told = outcome(reader, topic, data)
    plan = reader.plan(topic, data)
    if plan is None or isinstance(told, str):
        return
    (said,) = told
    try:
        shape = plan.decode(data)
    except OTHER_SHAPE:
        return  # it is read in full, which a plan may ask for at any time
    values = [float(value) for value in plan.values(shape)]
    assert not said.texts
    assert not said.missing
    assert sorted(zip(plan.channels, values, strict=True)) == sorted(said.numbers)
    assert plan.device == said.device
    at = None if plan.time is None else time_us(plan.time(shape))
    assert (at if isinstance(at, int) else None) == said.at_us


def test_conventions_of_plain_objects_have_plans() -> None:
    reader = Recognition(rules=Rules([TopicRule(template="site/{device}")]))
    for topic, data in [
        ("plant/p", b'{"ts":1700000000,"t":1,"ok":true}'),
        ("zigbee2mqtt/x", b'{"temperature":1,"color":{"x":1},"last_seen":1700000000000}'),
        ("tele/x/SENSOR", b'{"Time":"2023-11-14T10:00:00","A":{"Temperature":1},"TempUnit":"C"}'),
        ("site/a", b'{"t":1}'),
        ("plant/array", b'{"v":[1,2,3]}'),
        ("plant/scalar", b"1.5"),
    ]:
        assert reader.plan(topic, data) is not None, topic


def test_a_unit_in_the_payload_is_part_of_its_plan() -> None:
    reader = Recognition()
    in_celsius = b'{"A":{"Temperature":1},"TempUnit":"C"}'
    plan = reader.plan("tele/x/SENSOR", in_celsius)
    assert plan is not None
    assert plan.values(plan.decode(in_celsius)) == (1.0,)
    with pytest.raises(Exception, match="Invalid enum value"):
        plan.decode(in_celsius.replace(b'"C"', b'"F"'))


@pytest.mark.parametrize("key", ['"', "\\", "\n", "\0"])
def test_a_key_that_must_be_escaped_makes_no_plan(key: str) -> None:
    for tree in ({key: 1}, {"b": {key: 1}}, {key: [1, 2]}):
        data = json.dumps(tree).encode()
        assert outcome(Recognition(), "plant/p", data) is not None
        assert Recognition().plan("plant/p", data) is None


def test_a_count_where_a_time_may_stand_makes_no_plan() -> None:
    assert Recognition().plan("plant/p", b'{"ts":12,"t":1}') is None


CONFIG = (
    b'{"state_topic":"plant/p","unit_of_measurement":"l/s","value_template":"{{value_json.f}}"}'
)


def read(reader: Reader, *sent: tuple[str, bytes], **fields: object) -> list[tuple[object, ...]]:
    plain = {"qos": 1, "retain": False, "dup": False, "session": 1, "packet_id": 1,
             "quality": int(Quality.GATEWAY_SYNCED), "arrival_us": ARRIVAL_US}  # fmt: skip
    messages = [Message(topic, data, **(plain | fields)) for topic, data in sent]  # type: ignore[arg-type]
    rows = reader.read(messages).batch.kind(Kind.NUMBERS)
    columns = (rows[name].tolist() for name in ("series", "ts", "quality"))
    return list(zip(*columns, strict=True))


def test_what_discovery_tells_later_reaches_a_topic_that_is_read_quickly() -> None:
    catalog = Catalog(salt=lambda: bytes(16))
    reader = Reader(catalog, Redelivery(bytes(32)))
    read(reader, *[("plant/p", b'{"f":1.5}')] * 5)
    read(reader, ("homeassistant/sensor/p/config", CONFIG), retain=True)
    read(reader, *[("plant/p", b'{"f":1.5}')] * 5)
    units = [key.unit for number in (1, 2) if (key := catalog.key(number)) is not None]
    assert units == ["", "l/s"]


def test_a_retained_template_that_is_no_path_is_a_reject_once() -> None:
    reader = Reader(Catalog(salt=lambda: bytes(16)), Redelivery(bytes(32)))
    config = b'{"state_topic":"a/b","value_template":"{{ value_json.t * 2 }}"}'
    kept = Message("homeassistant/sensor/x/config", config, 1, True, False, ARRIVAL_US, 1, 1, 1)
    first, again = reader.read([kept]), reader.read([kept])
    assert "is not a path within value_json" in first.rejects[0].reason
    assert first.counts.as_totals() == {"messages": 1, "rejected": 1}
    assert again.rejects == ()
    assert again.counts.as_totals() == {"messages": 1, "ignored": 1, "retained": 1}


def test_a_time_far_ahead_of_a_set_clock_is_not_believed() -> None:
    ahead = ARRIVAL_US + AHEAD_US_MAX
    for quality, at_us, believed in [
        (Quality.GATEWAY_SYNCED, ahead, True),
        (Quality.GATEWAY_SYNCED, ahead + 1, False),
        (Quality.GATEWAY_UNSYNCED, ahead + 1, True),
        (Quality.GATEWAY_SYNCED, ARRIVAL_US - 10**15 // 2, True),
    ]:
        reader = Reader(Catalog(salt=lambda: bytes(16)), Redelivery(bytes(32)))
        sent = [("a/b", b'{"ts":%d,"t":1}' % at_us)] * 4
        expected = (at_us, Quality.SENSOR) if believed else (ARRIVAL_US, quality)
        told = read(reader, *sent, quality=int(quality))
        assert [row[1:] for row in told] == [(expected[0], int(expected[1]))] * 4


def test_a_message_without_room_is_read_once_although_it_is_asked_twice() -> None:
    limits = ReadingLimits(batch_bytes=400)
    reader = Reader(Catalog(salt=lambda: bytes(16)), Redelivery(bytes(32)),
                    recognition=Recognition(limits))  # fmt: skip
    sent = [
        Message("m", b'{"devEUI":"24","fCnt":%d,"temperature":1}' % number, 1, False, False,
                ARRIVAL_US, 1, 1, number)
        for number in range(1, 20)
    ]  # fmt: skip
    accepted, left = 0, sent
    while left:
        heard = reader.read(left)
        assert heard.counts.collapsed == 0
        accepted += heard.counts.accepted
        left = left[heard.counts.messages :]
    assert accepted == len(sent)


def test_what_is_remembered_is_bounded() -> None:
    known = Known()
    for number in range(WAYS_MAX + RECENT_MAX):
        known.comes_by(number, "a", number)
        known.came(number)
    assert known.comes_by(0, "b", 0), "long forgotten"
    assert not known.came(0)
    assert known.came(WAYS_MAX + RECENT_MAX - 1)
    bounded: Bounded[int, int] = Bounded(2)
    for number in (1, 2, 1, 3):
        bounded.put(number, number)
    assert list(bounded) == [1, 3]


def test_births_without_end_are_not_remembered_without_end() -> None:
    reader = Recognition()
    birth = pb.Payload(timestamp_ms=1_700_000_000_000, seq=0)
    for number in range(3000):
        birth.metrics.add(name=f"m{number}", alias=number, datatype=9, float_value=1.5)
    data = birth.SerializeToString()
    for node in range(METRICS_MAX // 3000 + 5):
        told = reader.read(f"spBv1.0/g/NBIRTH/n{node}", data)
        assert len(told[0].numbers) == 3001, "it is read all the same"
    nodes = reader.known.of(Nodes)
    assert METRICS_MAX - 3000 < nodes.size <= METRICS_MAX
    # A node of before is still known by alias, and a birth of it brings no more.
    reader.read("spBv1.0/g/NBIRTH/n0", data)
    again = pb.Payload(timestamp_ms=1_700_000_000_000, seq=1)
    again.metrics.add(alias=7, float_value=2.5)
    (said,) = reader.read("spBv1.0/g/NDATA/n0", again.SerializeToString())
    assert [channel[0] for channel, _ in said.numbers] == ["m7"]
    assert nodes.size <= METRICS_MAX


def test_nothing_is_remembered_of_topics_and_keys_without_measure() -> None:
    reader = Recognition()
    tracemalloc.start()
    for number in range(400):
        filler = "x" * 60_000
        outcome(reader, f"{filler}{number}", b"1.5")
        outcome(reader, "plant/p", b'{"%s%d":1}' % (filler.encode(), number))
        outcome(reader, "m", b'{"devEUI":"%s%d","fCnt":1,"t":1}' % (filler.encode(), number))
        outcome(reader, f"home/{filler}{number}/BTtoMQTT/aa", b'{"t":1}')
        outcome(reader, f"zigbee2mqtt/{filler}{number}", b'{"t":1}')
        outcome(reader, f"spBv1.0/g/NBIRTH/{filler}{number}", b"")
        reader.learn(
            f"homeassistant/sensor/{number}/config",
            b'{"state_topic":"%s%d","name":"%s"}' % (filler.encode(), number, filler.encode()),
        )
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 4 << 20


def test_rows_of_a_future_time_beside_others_keep_their_own() -> None:
    reader = Reader(Catalog(salt=lambda: bytes(16)), Redelivery(bytes(32)))
    far = ARRIVAL_US + 10 * AHEAD_US_MAX
    told = read(reader, ("a/b", b'{"ts":%d,"t":1}' % far), ("c", b"1"),
                ("a/b", b'{"ts":%d,"t":1}' % (ARRIVAL_US - 5)))  # fmt: skip
    assert np.array([row[1] for row in told]).tolist() == [ARRIVAL_US, ARRIVAL_US, ARRIVAL_US - 5]


def test_every_vector_file_is_of_a_convention() -> None:
    folder = Path(__file__).parent / "vectors"
    names = {one.name for one in CONVENTIONS}
    assert {path.stem for path in folder.glob("*.toml")} <= names
    for path in folder.glob("*.toml"):
        assert tomllib.loads(path.read_text())["vector"]
