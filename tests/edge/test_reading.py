import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalog import Catalog
from edge.heard import Heard
from edge.message import Message
from edge.payload.offer import LAST_RANK, Answer, Convention, Offer
from edge.payload.said import GAUGE, ReadingLimits
from edge.reading import Reader
from edge.recognition import Recognition
from edge.redelivery import Redelivery
from edge.store.limits import StoreLimits
from edge.store.prepare import prepare_chunk
from protos.records import Batch, Kind, Quality

ARRIVAL_US = 1_700_000_000_000_000


def message(topic: str, payload: bytes, **fields: object) -> Message:
    plain: dict[str, object] = {
        "qos": 1,
        "retain": False,
        "dup": False,
        "arrival_us": ARRIVAL_US,
        "quality": int(Quality.GATEWAY_UNSYNCED),
        "session": 1,
        "packet_id": 1,
    }
    return Message(topic, payload, **(plain | fields))  # type: ignore[arg-type]


def make_catalog(series_max: int = 100_000) -> Catalog:
    count = itertools.count()
    return Catalog(salt=lambda: next(count).to_bytes(16, "big"), series_max=series_max)


def make_reader(catalog: Catalog | None = None, **options: object) -> Reader:
    catalog = make_catalog() if catalog is None else catalog
    return Reader(catalog, Redelivery(bytes(32)), **options)  # type: ignore[arg-type]


def rows(batch: Batch, kind: Kind) -> list[dict[str, object]]:
    table = {name: column.tolist() for name, column in batch.kind(kind).items()}
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def reasons(heard: Heard) -> list[str]:
    return [reject.reason for reject in heard.rejects]


def test_readings_become_rows_by_value() -> None:
    heard = make_reader().read(
        [
            message("plant/pump1", b'{"ts":1600000000.5,"flow":3.25,"ok":true,"mode":"auto"}'),
            message("hall/temp", b"21.5"),
            message("hall/door", b"open"),
        ]
    )
    sensor, gateway = int(Quality.SENSOR), int(Quality.GATEWAY_UNSYNCED)
    own = {"ts": 1_600_000_000_500_000, "quality": sensor, "arrival": ARRIVAL_US}
    ours = {"ts": ARRIVAL_US, "quality": gateway, "arrival": ARRIVAL_US}
    assert rows(heard.batch, Kind.NUMBERS) == [
        {"series": 1, "value": 3.25} | own,
        {"series": 2, "value": 1.0} | own,
        {"series": 4, "value": 21.5} | ours,
    ]
    assert rows(heard.batch, Kind.TEXTS) == [
        {"series": 3, "text": "auto"} | own,
        {"series": 5, "text": "open"} | ours,
    ]
    names = [(e.key.device, e.key.metric) for e in heard.new_entries if e.key is not None]
    assert names == [
        ("plant/pump1", "flow"),
        ("plant/pump1", "ok"),
        ("plant/pump1", "mode"),
        ("hall", "temp"),
        ("hall", "door"),
    ]
    assert heard.counts.as_totals() == {"messages": 3, "accepted": 3, "numbers": 3, "texts": 2}
    assert len(heard.marks) == 3 * 16
    numbers = heard.batch.kind(Kind.NUMBERS)
    assert [numbers[name].dtype for name in ("series", "ts", "value", "quality")] == [
        np.dtype("<u4"),
        np.dtype("<i8"),
        np.dtype("<f8"),
        np.dtype("u1"),
    ]


def test_a_series_keeps_its_number_over_batches() -> None:
    reader = make_reader()
    first = reader.read([message("a/t", b"1"), message("b/t", b"2")])
    second = reader.read([message("b/t", b"3"), message("a/t", b"4")])
    assert first.batch.kind(Kind.NUMBERS)["series"].tolist() == [1, 2]
    assert second.batch.kind(Kind.NUMBERS)["series"].tolist() == [2, 1]
    assert second.new_entries == ()


@pytest.mark.parametrize("topic", ["$SYS/broker/uptime", "tidegate/anomaly/d/m", "cmd/7/set"])
def test_topics_that_are_no_data_are_ignored_and_counted(topic: str) -> None:
    heard = make_reader(ignore=["cmd/+/set"]).read([message(topic, b"21")])
    alerts = {"alerts": 1} if topic.startswith("tidegate/anomaly/") else {}
    assert heard.counts.as_totals() == {"messages": 1, "ignored": 1} | alerts
    assert heard.batch.rows == 0


def test_alerts_under_a_topic_of_the_operators_choice_are_no_readings_either() -> None:
    catalog = Catalog(salt=lambda: bytes(16))
    reader = Reader(catalog, Redelivery(bytes(32), messages_max=0), alerts=("site/alarm/",))
    heard = reader.read([message("site/alarm/g/d/m", b"21"), message("site/alarms", b"21")])
    assert heard.counts.as_totals() == {
        "messages": 2, "ignored": 1, "alerts": 1, "accepted": 1, "numbers": 1}  # fmt: skip


def test_retained_values_are_no_new_readings() -> None:
    heard = make_reader().read([message("a/t", b"21", retain=True)])
    assert heard.counts.as_totals() == {"messages": 1, "ignored": 1, "retained": 1}
    assert (heard.batch.rows, heard.marks) == (0, b"")


def test_what_cannot_be_read_is_kept_with_its_reason() -> None:
    heard = make_reader().read(
        [message("a/t", b"\xff\xfe" * 2000), message("b", b'{"t":1'), message("c/t", b"nan")]
    )
    assert [reason[:14] for reason in reasons(heard)] == [
        "binary payload",
        "broken JSON: I",
        "nan stands whe",
    ]
    assert [len(reject.payload) for reject in heard.rejects] == [1024, 6, 3]
    assert heard.rejects[1].topic == "b"
    assert heard.counts.as_totals() == {"messages": 3, "rejected": 3}


def test_a_payload_over_the_limit_is_a_reject() -> None:
    reader = make_reader(limits=ReadingLimits(payload_bytes_max=10))
    heard = reader.read([message("a/t", b"1234567890"), message("a/t", b"12345678901")])
    assert reasons(heard) == ["payload of 11 bytes is over 10"]
    assert heard.batch.rows == 1


def test_a_message_of_nothing_but_nulls_is_a_reject_and_single_ones_are_counted() -> None:
    heard = make_reader().read([message("a", b'{"x":null}'), message("a", b'{"x":null,"y":1}')])
    assert reasons(heard) == ["no value: every field is null, not finite, or absent"]
    assert heard.counts.as_totals() == {
        "messages": 2,
        "accepted": 1,
        "rejected": 1,
        "numbers": 1,
        "missing": 1,
    }


def test_too_many_series_are_visible_and_known_series_go_on() -> None:
    reader = make_reader(make_catalog(series_max=1))
    heard = reader.read([message("a", b'{"x":1,"y":2,"z":3}'), message("b/t", b"1")])
    limit = "too many series: the limit of 1 is reached"
    assert reasons(heard) == [f"{limit} (and 1 more)", limit]
    assert heard.counts.as_totals() == {
        "messages": 2,
        "accepted": 1,
        "partial": 1,
        "rejected": 1,
        "numbers": 1,
    }


def test_a_copy_makes_no_rows_no_series_and_no_second_reject() -> None:
    catalog = make_catalog()
    filter_ = Redelivery(bytes(32))
    sent = [message("a/t", b"1", packet_id=1), message("b", b"{", packet_id=2)]
    first = Reader(catalog, filter_).read(sent)
    copies = [message("a/t", b"1", packet_id=1, session=2, dup=True)]
    copies.append(message("b", b"{", packet_id=2, session=2, dup=True))
    heard = Reader(catalog, filter_).read(copies)
    assert first.counts.as_totals() == {
        "messages": 2,
        "accepted": 1,
        "rejected": 1,
        "numbers": 1,
    }
    assert heard.counts.as_totals() == {"messages": 2, "collapsed": 2}
    assert (heard.batch.rows, heard.new_entries, heard.rejects, heard.marks) == (0, (), (), b"")


def test_a_payload_with_its_own_time_collapses_in_a_new_session_of_the_broker() -> None:
    reader = make_reader()
    payload = b'{"ts":1700000000,"t":1}'
    reader.read([message("a", payload, packet_id=5)])
    heard = reader.read([message("a", payload, packet_id=1, session=2)])
    assert heard.counts.collapsed == 1


def broken(offer: Offer) -> Answer:
    raise KeyError("no such field")


def test_a_convention_that_fails_by_our_own_fault_stops_nothing() -> None:
    recognition = Recognition(conventions=(Convention("broken", LAST_RANK, broken),))
    heard = make_reader(recognition=recognition).read([message("a/t", b"1")])
    (reason,) = reasons(heard)
    assert reason.startswith("our fault in ")
    assert "no such field" in reason


def hostile() -> list[bytes]:
    long = "n" * 250
    wide = ",".join(f'"{long}{n}":{n}.5' for n in range(900)).encode()
    texts = ",".join(f'"t{n}":"{"é" * 2000}"' for n in range(60)).encode()
    deep = f'{{"{long}":[{",".join("1" for _ in range(2000))}]}}'.encode()
    return [b"{" + wide + b"}", b"{" + texts + b"}", deep, b"x" * 4096, b"\xff" * 5000, b"{"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(hostile())), max_size=60))
def test_whatever_comes_every_message_has_one_class_and_every_chunk_fits(
    sent: list[tuple[str, bytes]],
) -> None:
    reader = make_reader()
    left = [message(device * 250 + "/x", payload) for device, payload in sent]
    taken = 0
    while left:
        heard = reader.read(left)
        counts = heard.counts
        assert 1 <= counts.messages <= len(left)
        assert counts.messages == counts.accepted + counts.rejected
        chunk = heard.as_chunk()
        prepare_chunk(chunk, StoreLimits())
        taken += counts.messages
        left = left[counts.messages :]
    assert taken == len(sent)


def test_a_message_that_brings_more_than_a_chunk_takes_is_a_reject() -> None:
    wide = b"{" + ",".join(f'"{"n" * 250}{n}":1' for n in range(900)).encode() + b"}"
    heard = make_reader().read([message("d" * 255, wide)])
    assert reasons(heard) == ["more values, names and texts than one message may bring"]


def test_one_message_is_explained_without_being_taken_in() -> None:
    catalog = make_catalog()
    (said,) = make_reader(catalog).explain("a/t", b"1.5")
    assert said.numbers == [(("t", GAUGE, "", ()), 1.5)]
    assert len(catalog) == 0
