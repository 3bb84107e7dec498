import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.payload import scalar
from edge.payload.known import Known
from edge.payload.offer import Offer
from edge.payload.said import GAUGE, STATE, NotData, ReadingLimits, Said, Unreadable


def said(topic: str, payload: bytes) -> Said:
    (only,) = scalar.read(Offer(topic, payload, ReadingLimits(), Known()))
    return only


def test_the_last_level_is_the_metric_and_the_rest_the_device() -> None:
    told = said("/sensors/CLE/v1/device5/temp", b"390")
    assert told.device == "/sensors/CLE/v1/device5"
    assert told.numbers == [(("temp", GAUGE, "", ()), 390.0)]
    assert (told.at_us, told.dated) == (None, False)


@pytest.mark.parametrize("topic", ["temp", "/temp", "temp/", "/"])
def test_a_topic_that_names_one_thing_is_a_device_with_a_value(topic: str) -> None:
    told = said(topic, b"1")
    assert told.device == topic
    assert told.numbers == [(("value", GAUGE, "", ()), 1.0)]


@pytest.mark.parametrize(
    ("payload", "value"),
    [(b"21.5", 21.5), (b" -4 \r\n", -4.0), (b"+1e-3", 0.001), (b'"52.6"', 52.6), (b".5", 0.5)],
)
def test_numbers_in_every_dress(payload: bytes, value: float) -> None:
    assert said("d/m", payload).numbers == [(("m", GAUGE, "", ()), value)]


@pytest.mark.parametrize(("payload", "value"), [(b"true", 1.0), (b"False", 0.0)])
def test_truth_is_a_state(payload: bytes, value: float) -> None:
    assert said("d/m", payload).numbers == [(("m", STATE, "", ()), value)]


@pytest.mark.parametrize(
    "text", ["open", "ON", "heating", "13:05", "a b", "größer", '"', "unavailable"]
)
def test_texts_are_kept_as_they_are(text: str) -> None:
    assert said("d/m", text.encode()).texts == [(("m", STATE, "", ()), text)]


def test_a_quoted_text_loses_its_quotes() -> None:
    assert said("d/m", b'"op\\u0065n"').texts == [(("m", STATE, "", ()), "open")]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"nan", "nan stands"),
        (b"-Infinity", "-Infinity stands"),
        (b"null", "null stands"),
        (b"\xff\xfe\x00", "binary"),
        (b"\x08\x01\x12", "binary"),
    ],
)
def test_what_is_no_value_says_why(payload: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        said("d/m", payload)
    assert reason in caught.value.reason


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_comes_out_as_it_went_in(value: float) -> None:
    assert said("d/m", repr(value).encode()).numbers == [(("m", GAUGE, "", ()), value)]


@given(st.binary(max_size=100))
def test_every_payload_is_a_value_or_a_reason(payload: bytes) -> None:
    with contextlib.suppress(Unreadable, NotData):  # each of them says why
        told = said("d/m", payload)
        assert len(told.numbers) + len(told.texts) + len(told.faults) == 1
