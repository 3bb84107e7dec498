import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.catalog import Catalog
from edge.heard import Heard
from edge.message import Message, Messages
from edge.payload.plan import Plan
from edge.payload.said import ReadingLimits
from edge.reading import Reader
from edge.reading_quick import PLANNED_MAX, Quick
from edge.redelivery import Redelivery
from protos.records import Kind

START_US = 1_700_000_000_000_000
KEYS = st.sampled_from(["temperature", "ok", "a.b", "time", "ts", "", "größe", "0", "n"])
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20),
    st.floats(-1e12, 1e12),
    st.booleans(),
    st.sampled_from([1_600_000_000, 1_600_000_000_123, 1_600_000_000.25, 0, -0.0]),
)
LEAVES = NUMBERS | st.sampled_from(["on", "12.5", "2024-01-01T00:00:00Z", None])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(KEYS, TREES, max_size=4)
SCALARS = st.sampled_from(["1", "1.50", "-3", "1e3", "1e0005", "true", "on", "1234567890123456789"])
PAYLOADS = OBJECTS.map(json.dumps) | SCALARS | st.lists(NUMBERS, max_size=3).map(json.dumps)


def sent(payloads: list[str], topics: int = 2, **fields: Any) -> list[Message]:
    plain: dict[str, Any] = {"qos": 1, "retain": False, "dup": False, "quality": 1, "session": 1}
    plain |= fields
    return [
        Message(
            f"d{number % topics}/x",
            payload.encode(),
            arrival_us=START_US + number,
            packet_id=number + 1,
            **plain,
        )
        for number, payload in enumerate(payloads)
    ]


def reader(**limits: int) -> tuple[Catalog, Reader]:
    catalog = Catalog(salt=lambda: bytes(16))
    return catalog, Reader(catalog, Redelivery(bytes(32)), limits=ReadingLimits(**limits))


def told(catalog: Catalog, heard: list[Heard]) -> list[tuple[Any, ...]]:
    """Every reading by name, in order of arrival and then of name."""
    found = []
    for kind, column in ((Kind.NUMBERS, "value"), (Kind.TEXTS, "text")):
        for one in heard:
            rows = one.batch.kind(kind)
            names = ("series", "arrival", "ts", "quality", column)
            for series, *rest in zip(*(rows[name].tolist() for name in names), strict=True):
                key = catalog.key(series)
                assert key is not None
                found.append((*rest[:1], key.device, key.metric, key.kind, *rest[1:]))
    return sorted(found, key=repr)


def totals(heard: list[Heard]) -> dict[str, int]:
    added: dict[str, int] = {}
    for one in heard:
        for name, count in one.counts.as_totals().items():
            added[name] = added.get(name, 0) + count
    return added


@settings(deadline=None)
@given(st.lists(PAYLOADS, min_size=1, max_size=4), st.integers(2, 5))
@example(['{"temperature":21.5,"ok":true,"ts":1600000000}'], 3)
@example(["21.5"], 3)
@example(['{"a":1}', '{"a":{"b":2}}'], 4)
def test_what_is_read_quickly_is_what_is_read_in_full(payloads: list[str], times: int) -> None:
    messages = sent(payloads * times)
    quick_names, quick = reader()
    slow_names, _ = reader()
    at_once = [quick.read(messages)]
    # A reader that never heard a topic before has no plan for it.
    apart = [Reader(slow_names, Redelivery(bytes(32))).read([one]) for one in messages]
    assert told(quick_names, at_once) == told(slow_names, apart)
    assert totals(at_once) == totals(apart)


def test_the_quick_way_is_taken_from_the_third_message_on_and_leaves_the_same_marks() -> None:
    messages = sent(['{"t":1.5,"h":2}'] * 50)
    _, quick = reader()
    asked: list[str] = []
    recognition = quick._recognition
    ask = recognition.read

    def counted(topic: str, *rest: Any) -> Any:
        asked.append(topic)
        return ask(topic, *rest)

    recognition.read = counted  # type: ignore[method-assign, assignment]
    marks = quick.read(messages).marks
    assert len(asked) == 4, "two for each of two topics"
    _, slow = reader()
    assert marks == b"".join(slow.read([one]).marks for one in messages)


def test_a_copy_of_what_was_read_quickly_collapses() -> None:
    _, one = reader()
    messages = sent(['{"t":1.5}', '{"t":1.5}', '{"t":1.5}', '{"t":2.5,"ts":1600000000}'] * 3, 1)
    one.read(messages)
    again = sent([m.payload.decode() for m in messages], 1, session=2, dup=True)
    heard = one.read(again)
    assert heard.counts.collapsed == len(messages)
    assert heard.counts.accepted == 0


def test_what_finds_no_room_in_a_batch_is_left_for_the_next() -> None:
    messages = Messages.of(sent(['{"t":1.5,"h":2}'] * 100))
    catalog, one = reader(batch_bytes=1000)
    heard, left = [], messages
    while len(left):
        heard.append(one.read(left))
        assert 0 < heard[-1].counts.messages <= 1000 // (2 * 40 + 16)
        left = left.split(heard[-1].counts.messages)[1]
    assert totals(heard)["accepted"] == 100
    assert len(told(catalog, heard)) == 200


def test_a_topic_whose_values_are_named_anew_for_ever_does_not_fill_the_memory() -> None:
    quick = Quick(Redelivery(bytes(32)))
    plan = Plan("d", (), json.loads, list)
    series = range(1, PLANNED_MAX // 16 + 1)
    planned = 0
    for _ in range(64):
        quick.forget(["t"])
        for _ in range(2):
            if quick.wants("t"):
                quick.learn("t", plan, series, 1)
                planned += 1
    assert planned == 16
    assert len(quick.shapes) == PLANNED_MAX
