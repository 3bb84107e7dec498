import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.payload import flat_json
from edge.payload.known import Known
from edge.payload.offer import Offer
from edge.payload.said import GAUGE, STATE, ReadingLimits, Said, Unreadable


def said(payload: bytes, topic: str = "plant/pump1") -> Said:
    offer = Offer(topic, payload, ReadingLimits(), Known())
    flat = flat_json.read(offer)
    assert flat is not None
    (only,) = flat_json.tell(offer, flat)
    return only


def numbers(payload: bytes) -> dict[str, float]:
    return {channel[0]: value for channel, value in said(payload).numbers}


def texts(payload: bytes) -> dict[str, str]:
    return {channel[0]: text for channel, text in said(payload).texts}


def test_the_flat_example_is_read_by_value() -> None:
    told = said(b'{"ts":1700000000.123,"flow":3.2,"ok":true}')
    assert told.device == "plant/pump1"
    assert told.at_us == 1_700_000_000_123_000
    assert told.dated
    assert told.numbers == [(("flow", GAUGE, "", ()), 3.2), (("ok", STATE, "", ()), 1.0)]


def test_tasmota_maps_flatten_and_its_local_time_is_no_sensor_time() -> None:
    told = said(
        b'{"Time":"2017-02-16T10:13:52","DS18B20":{"Temperature":20.6},"TempUnit":"C"}',
        "tele/tasmota/SENSOR",
    )
    assert told.at_us is None
    assert told.dated, "it tells repetitions from copies all the same"
    assert told.numbers == [(("DS18B20.Temperature", GAUGE, "", ()), 20.6)]
    assert told.texts == [(("TempUnit", STATE, "", ()), "C")]


def test_numbers_as_strings_are_numbers() -> None:
    payload = b'{"hum":"52.6","tempc":"-19.2","n":"1e3","id":"45:e1:74:12:6e:00"}'
    assert numbers(payload) == {"hum": 52.6, "tempc": -19.2, "n": 1000.0}
    assert texts(payload) == {"id": "45:e1:74:12:6e:00"}


@pytest.mark.parametrize(
    "name", ["007", "861234567890123456", "0x1F", "1_000", "١٢", " 1", "1.2.3"]
)
def test_a_string_that_a_float_would_spoil_stays_a_text(name: str) -> None:
    assert texts(f'{{"id":"{name}"}}'.encode()) == {"id": name}


def test_zigbee2mqtt_booleans_and_states_are_readings() -> None:
    payload = b'{"occupancy":true,"contact":false,"state":"ON","linkquality":97}'
    assert numbers(payload) == {"occupancy": 1.0, "contact": 0.0, "linkquality": 97.0}
    assert texts(payload) == {"state": "ON"}


def test_null_nan_and_infinity_are_missing_and_counted() -> None:
    told = said(b'{"a":null,"b":NaN,"c":Infinity,"d":"nan","e":1.5}')
    assert told.missing == 4
    assert told.numbers == [(("e", GAUGE, "", ()), 1.5)]


def test_lists_flatten_by_position() -> None:
    assert numbers(b'{"power":[1.5,2],"x":{"y":[{"z":3}]}}') == {
        "power.0": 1.5,
        "power.1": 2.0,
        "x.y.0.z": 3.0,
    }


def test_what_is_nested_too_deep_is_a_fault_beside_the_rest() -> None:
    told = said(b'{"a":' + b'{"b":' * 20 + b"1" + b"}" * 20 + b',"t":2.5}')
    assert told.numbers == [(("t", GAUGE, "", ()), 2.5)]
    assert told.faults == ["nested deeper than 6 at 'a.b.b.b.b.b'"]


def test_a_text_too_long_is_a_fault_beside_the_rest() -> None:
    told = said(b'{"t":2.5,"log":"' + "é".encode() * 2049 + b'"}')
    assert told.numbers == [(("t", GAUGE, "", ()), 2.5)]
    assert told.faults == ["the text in 'log' is over 4096 bytes"]
    assert texts(b'{"log":"' + b"x" * 4096 + b'"}') == {"log": "x" * 4096}


def test_a_number_out_of_every_range_is_a_fault_and_no_crash() -> None:
    told = said(b'{"big":' + b"9" * 400 + b',"t":1.5}')
    assert told.faults == ["the number in 'big' is out of range"]
    assert told.numbers == [(("t", GAUGE, "", ()), 1.5)]


@pytest.mark.parametrize(
    ("field", "value", "at_us"),
    [
        ("ts", b"1700000000", 1_700_000_000_000_000),
        ("time", b"1700000000123", 1_700_000_000_123_000),
        ("timestamp", b"1700000000123456", 1_700_000_000_123_456),
        ("Timestamp", b"1700000000123456789", 1_700_000_000_123_456),
        ("TS", b'"1700000000.5"', 1_700_000_000_500_000),
        ("time", b'"2022-07-18T09:34:15.775023242+00:00"', 1_658_136_855_775_023),
        ("time", b'"2022-07-18T11:34:15+02:00"', 1_658_136_855_000_000),
        ("time", b'"2022-07-18T09:34:15Z"', 1_658_136_855_000_000),
    ],
)
def test_every_unit_of_time_is_known_by_its_size(field: str, value: bytes, at_us: int) -> None:
    told = said(b'{"%s":%s,"t":1.5}' % (field.encode(), value))
    assert told.at_us == at_us
    assert told.numbers == [(("t", GAUGE, "", ()), 1.5)]


@pytest.mark.parametrize("value", [b"12.5", b"0", b"-5", b"1e30", b"true"])
def test_a_number_that_is_no_date_is_a_reading(value: bytes) -> None:
    told = said(b'{"ts":%s}' % value)
    assert (told.at_us, told.dated) == (None, False)
    assert [channel[0] for channel, _ in told.numbers] == ["ts"]


def test_the_first_time_field_that_holds_a_time_counts() -> None:
    told = said(b'{"time":"soon","ts":3,"timestamp":1700000000}')
    assert told.at_us == 1_700_000_000_000_000
    assert numbers(b'{"time":"soon","ts":3,"timestamp":1700000000}') == {"ts": 3.0}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"a":1', "broken JSON"),
        (b'{"a":1} and more', "broken JSON"),
        (b'{"a":1.}', "broken JSON"),
        (b'{"a":NaN,"b":}', "broken JSON"),
        (b'{"a":"\\ud800","b":NaN}', "broken JSON"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested without end"),
        (b'{"n":NaN,"a":' + b"[" * 90_000, "nested without end"),
        (b"[1,2,3]", "a JSON list"),
        (b" [", "broken JSON"),
    ],
)
def test_broken_payloads_say_what_is_wrong(payload: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        said(payload)
    assert reason in caught.value.reason


def test_a_byte_order_mark_and_blanks_do_not_hide_an_object() -> None:
    assert numbers(b'\xef\xbb\xbf \r\n{"a":1.5}') == {"a": 1.5}


@pytest.mark.parametrize("payload", [b"", b"21.5", b"ON", b'"{"', b"\x00{"])
def test_what_is_no_object_is_left_to_other_conventions(payload: bytes) -> None:
    assert flat_json.read(Offer("t", payload, ReadingLimits(), Known())) is None


@given(st.dictionaries(st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False)))
def test_every_finite_float_comes_out_as_it_went_in(values: dict[str, float]) -> None:
    values = {f"v{key}": value for key, value in values.items()}
    assert numbers(msgspec.json.encode(values)) == values


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(payload: bytes) -> None:
    for data in (b"{" + payload, b'{"a":' + payload + b"}"):
        with contextlib.suppress(Unreadable):
            said(data)
