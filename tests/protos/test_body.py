"""Bodies: what goes in comes out bit for bit, small and fast; what is not a body is named."""

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from protos.codec.body import BodyLimits, decode_body, encode_body
from protos.codec.frame import STORED, ZSTD
from protos.codec.wire import MalformedBlock, varint
from protos.limits import BLOCK_ROWS_MAX, PLAIN_BYTES_MAX
from protos.records import Batch, Kind, numbers, texts
from tests.protos.batches import batches, readings

HARD = [
    0.0,
    -0.0,
    np.nan,
    np.inf,
    -np.inf,
    5e-324,
    1.7976931348623157e308,
    0.1 + 0.2,
    2.0**53,
    2.0**53 + 2,
]


def zstd(plain: bytes) -> bytes:
    """Plain bytes as a frame of the format."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False, window_log=20
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(plain)


def stored(plain: bytes) -> bytes:
    return bytes((STORED,)) + plain


@given(batches(), st.integers(1, 9))
def test_any_batch_comes_back_bit_for_bit_and_in_its_order(batch: Batch, level: int) -> None:
    assert decode_body(encode_body(batch, level=level)).same_as(batch)


@pytest.mark.parametrize("series", [1, 3, 40])
@pytest.mark.parametrize("rows", [10, 11, 100, 3000])
def test_floats_that_are_no_decimals_keep_their_bits_among_decimals(rows: int, series: int) -> None:
    value = np.round(np.linspace(-40, 40, rows), 1)
    value[:: rows // 10][:10] = HARD
    value.view(np.uint64)[-1] = 0x7FF80000DEADBEEF
    for entries in (np.sort(np.arange(rows) % series), np.arange(rows) % series):
        batch = numbers(entries, np.arange(rows) * 1000, value, 0, np.zeros(rows))
        assert decode_body(encode_body(batch)).same_as(batch)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("series", [10, 100])
def test_a_jittered_quantised_reading_costs_at_most_2_6_bytes(
    series: int, interleaved: bool
) -> None:
    batch = readings(25_000, series, seed=7, interleaved=interleaved)
    data = encode_body(batch)
    assert decode_body(data).same_as(batch)
    assert len(data) / batch.rows <= 2.6


def test_one_reading_costs_little_more_than_itself() -> None:
    assert len(encode_body(readings(1, 1, seed=1))) <= 36


def test_an_empty_batch_is_two_bytes() -> None:
    assert decode_body(encode_body(Batch({}))).rows == 0
    assert len(encode_body(Batch({}))) == 2


def test_a_batch_over_the_limit_is_its_makers_fault() -> None:
    rows = np.zeros(BLOCK_ROWS_MAX + 1)
    with pytest.raises(ValueError, match="rows in one body"):
        encode_body(numbers(rows, rows, rows, rows, rows))
    with pytest.raises(ValueError, match="a string of 5000 bytes"):
        encode_body(texts([1], [1], ["x" * 5000], 0, [1]))


@given(batches(), st.data())
@settings(max_examples=300)
def test_damaged_bytes_raise_malformed_block_or_decode_within_bounds(
    batch: Batch, data: st.DataObject
) -> None:
    body = bytearray(encode_body(batch))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(body))))
    try:
        rows = decode_body(bytes(body[:cut]), limits=BodyLimits(2000, 1 << 20)).rows
    except MalformedBlock:
        return
    assert rows <= 2000


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_noise_as_plain_bytes_raises_nothing_but_malformed_block(noise: bytes) -> None:
    for plain in (noise, b"\x01\x01" + noise, b"\x01\x01\x08\x20\x01\x00\x02\x00\x07" + noise):
        try:
            decode_body(stored(plain))
        except MalformedBlock:
            continue


def test_every_truncation_is_refused() -> None:
    for batch in (readings(3, 1, seed=1), readings(200, 5, seed=2)):
        body = encode_body(batch)
        for cut in range(len(body)):
            with pytest.raises(MalformedBlock):
                decode_body(body[:cut])


def test_trailing_bytes_are_refused_inside_and_outside_the_frame() -> None:
    with pytest.raises(MalformedBlock, match="trailing bytes"):
        decode_body(encode_body(readings(1, 1, seed=1)) + b"\0")
    with pytest.raises(MalformedBlock, match="unused data"):
        decode_body(encode_body(readings(500, 5, seed=1)) + b"\0")


def test_a_decompression_bomb_is_refused_before_memory_is_taken() -> None:
    bomb = zstd(bytes(1 << 28))
    assert len(bomb) < 100_000
    with pytest.raises(MalformedBlock, match="over the limit"):
        decode_body(bytes((ZSTD,)) + varint(1 << 28) + bomb)
    with pytest.raises(MalformedBlock, match="did not decompress full frame"):
        decode_body(bytes((ZSTD,)) + varint(PLAIN_BYTES_MAX) + bomb)


def test_a_frame_that_announces_its_own_size_is_refused() -> None:
    sized = zstandard.ZstdCompressor().compress(bytes(1 << 28))[4:]
    with pytest.raises(MalformedBlock, match="frame header"):
        decode_body(bytes((ZSTD,)) + varint(1000) + sized)


def test_a_frame_that_wants_a_huge_window_is_refused() -> None:
    with pytest.raises(MalformedBlock, match="zstd"):
        decode_body(bytes((ZSTD,)) + varint(1000) + b"\x00\xa0\x01\x00\x00")


@pytest.mark.parametrize(
    ("plain", "what"),
    [
        (b"\x07", "number of tables"),
        (b"\x01\x09\x01", "kind 9 is unknown to this version"),
        (b"\x01\x01\x00", "a table without rows"),
        (b"\x01\x01" + varint(BLOCK_ROWS_MAX + 1), "over the limit"),
        (b"\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "varint"),
        (b"\x01\x01\x81\x00", "shortest form"),
        (b"\x01\x01\x02\x00\x00\x01", "outside 0 to 4294967295"),
        (b"\x01\x01\x02\x20\x03", "over the limit of 2"),
        (b"\x01\x01\x02\x20\x00", "without a run"),
        (b"\x01\x01\x02\x20\x01\x00\x02\x00", "do not add up"),
        (b"\x01\x01\x02\x31", "form 0x31"),
        (b"\x01\x01\x02\x20\x01\x00\x02\x01\x01\x77", "form 0x77"),
        (b"\x01\x01\x02\x20\x01\x00\x02\x01\x01\x01\x00\x00\x00\x00\x00\x00\x09", "width of 9"),
        (b"\x01\x01\x02\x20\x01\x00\x02\x01\x01\x01\x04\x00\x00\x00\x00\x00\x00", "coding"),
        (b"\x01\x02\x01\x20\x01\x00\x02\x00\x00\x02\x02", "distinct strings"),
    ],
)  # fmt: skip
def test_a_forged_count_or_form_is_refused_by_name(plain: bytes, what: str) -> None:
    with pytest.raises(MalformedBlock, match=what):
        decode_body(stored(plain))


def test_a_kind_twice_or_out_of_order_is_refused() -> None:
    table = encode_body(readings(1, 1, seed=1))[2:]
    with pytest.raises(MalformedBlock, match="kind 1 is unknown to this version or out of order"):
        decode_body(stored(b"\x02" + table + table))


def test_limits_given_by_the_caller_bind() -> None:
    body = encode_body(readings(50, 1, seed=1))
    with pytest.raises(MalformedBlock, match="rows of NUMBERS"):
        decode_body(body, limits=BodyLimits(rows_max=49))
    assert decode_body(body, limits=BodyLimits(rows_max=50)).count(Kind.NUMBERS) == 50
