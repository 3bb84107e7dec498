"""Varints and the suspicious reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.codec.wire import MalformedBlock, MalformedEntry, Reader, unzigzag, varint, zigzag

U64_MAX = (1 << 64) - 1


@given(st.integers(0, U64_MAX))
def test_a_varint_comes_back_and_takes_no_byte_too_many(value: int) -> None:
    data = varint(value)
    reader = Reader(data, "test")
    assert reader.number("n", U64_MAX) == value
    reader.end()
    assert len(data) == max(1, (value.bit_length() + 6) // 7)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_zigzag_keeps_every_int64_and_makes_near_zero_small(value: int) -> None:
    assert unzigzag(zigzag(value)) == value
    assert zigzag(value) <= 2 * abs(value)


@given(st.binary(max_size=12))
def test_bytes_are_a_varint_in_one_way_only(data: bytes) -> None:
    reader = Reader(data, "test")
    try:
        value = reader.number("n", U64_MAX)
    except MalformedBlock:
        return
    assert varint(value) == data[: reader.at]


@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_what_no_varint_holds_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="a varint holds"):
        varint(value)


def test_an_error_names_what_and_where_and_is_of_the_readers_class() -> None:
    reader = Reader(b"\x05ab", "series entry", MalformedEntry)
    with pytest.raises(MalformedEntry) as refused:
        reader.text("unit", 64)
    assert refused.value.where == "series entry, unit at byte 1"
    assert refused.value.what == "truncated: 5 bytes wanted, 2 left"
    with pytest.raises(MalformedBlock, match="9 is over the limit of 8"):
        Reader(b"\x09", "x").number("n", 8)
    with pytest.raises(MalformedBlock, match="not UTF-8"):
        Reader(b"\x01\xff", "x").text("name", 8)
    with pytest.raises(MalformedBlock, match="more than ten bytes"):
        Reader(b"\x80" * 11, "x").number("n", 8)
