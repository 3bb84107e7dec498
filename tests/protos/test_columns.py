"""Columns of whole numbers: whatever can be written of segments is read as the document says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from protos.codec.columns import SEGMENTED, WHOLE, Segments, get_ints
from protos.codec.wire import Reader, varint, zigzag
from tests.protos import stranger

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
NUMBERS = INT64 | st.integers(-3, 3)


def offsets(values: list[int]) -> bytes:
    """As the format has them, above the first rather than the least: sums wrap around."""
    above = [(value - values[0]) % (1 << 64) for value in values]
    return varint(zigzag(values[0])) + uints(above)


def uints(values: list[int]) -> bytes:
    width = (max(values).bit_length() + 7) // 8
    data = np.array(values, "<u8").view(np.uint8).reshape(-1, 8)
    return bytes([width]) + data[:, :width].T.tobytes()


@given(st.data())
def test_any_anchors_bases_and_residuals_are_read_as_the_document_says(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    many = len(lengths)

    def drawn(of: st.SearchStrategy[int], count: int) -> list[int]:
        return data.draw(st.lists(of, min_size=count, max_size=count))

    is_whole = many == 1 and data.draw(st.booleans())
    coding = sorted(drawn(st.integers(0, 1), many))  # the first is the least
    written = [
        bytes([WHOLE if is_whole else SEGMENTED]),
        offsets(coding), offsets(drawn(NUMBERS, many)), offsets(drawn(NUMBERS, many)),
        uints([zigzag(value) for value in drawn(NUMBERS, sum(lengths))]),
    ]  # fmt: skip
    packed = b"".join(written)
    starts = np.cumsum([0, *lengths[:-1]])
    segments = None if is_whole else Segments(starts, np.array(lengths))
    reader = Reader(packed, "test")
    found = get_ints(reader, segments, sum(lengths), "numbers")
    places = [
        [*range(start, start + length)]
        for start, length in zip(starts.tolist(), lengths, strict=True)
    ]
    assert found.tolist() == stranger.ints(stranger.Bytes(packed), sum(lengths), places)
    reader.end()
