from hypothesis import given
from hypothesis import strategies as st

from edge.message import MESSAGE_OVERHEAD_BYTES, Message, Messages

ROWS = st.lists(
    st.builds(
        Message,
        topic=st.text(max_size=4),
        payload=st.binary(max_size=8),
        qos=st.integers(0, 2),
        retain=st.booleans(),
        dup=st.booleans(),
        arrival_us=st.integers(0, 9),
        quality=st.integers(0, 2),
        session=st.integers(1, 3),
        packet_id=st.integers(0, 65535),
    ),
    max_size=12,
)


def size_of(rows: list[Message]) -> int:
    return sum(len(one.topic) + len(one.payload) + MESSAGE_OVERHEAD_BYTES for one in rows)


@given(ROWS, ROWS, st.integers(0, 30))
def test_columns_are_the_messages_however_they_are_joined_and_split(
    first: list[Message], second: list[Message], count: int
) -> None:
    columns = Messages.of(first)
    columns.extend(Messages.of(second))
    rows = first + second
    assert list(columns) == rows
    assert (len(columns), columns.size) == (len(rows), size_of(rows))
    before, after = columns.split(count)
    assert (list(before), list(after)) == (rows[:count], rows[count:])
    assert (before.size, after.size) == (size_of(rows[:count]), size_of(rows[count:]))


@given(ROWS.filter(bool), st.integers(0, 3000))
def test_as_many_fit_as_take_the_bytes_and_one_always_does(
    rows: list[Message], bytes_max: int
) -> None:
    count = Messages.of(rows).fitting(bytes_max)
    assert 1 <= count <= len(rows)
    assert count == 1 or size_of(rows[:count]) <= bytes_max
    assert count == len(rows) or size_of(rows[: count + 1]) > bytes_max
