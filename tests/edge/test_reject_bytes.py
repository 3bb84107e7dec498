"""No batch takes more of a chunk than the buffer gives, whatever its topics and labels are."""

from collections.abc import Sequence

import pytest

from edge.catalog import Catalog
from edge.gathering import Gathering
from edge.message import Message, Messages
from edge.reading import Reader
from edge.redelivery import Redelivery
from edge.store.limits import StoreLimits
from edge.store.prepare import prepare_chunk

NOW_US = 1_700_000_000_000_000


@pytest.mark.parametrize("letter", ["a", "ä", "😀"])
@pytest.mark.parametrize("length", [16, 1024, 16_000])
@pytest.mark.parametrize("retain", [False, True])
def test_garbage_under_long_topics_is_never_more_than_a_chunk_takes(
    letter: str, length: int, retain: bool
) -> None:
    reader = Reader(Catalog(salt=lambda: bytes(16)), Redelivery(bytes(32)))
    place = "homeassistant/sensor/{}/config" if retain else "{}"
    topics = [place.format(f"{number}/{letter * length}") for number in range(1200)]
    left: Sequence[Message] = [
        Message(topic, b'{"a":', 1, retain, False, NOW_US, 1, 1, number + 1)
        for number, topic in enumerate(topics)
    ]
    one, limits = Gathering(), StoreLimits()
    kept = unkept = 0
    while left:
        heard = reader.read(left)
        prepare_chunk(heard.as_chunk(), limits)  # ValueError: it is too large
        if not one.takes(heard):
            prepare_chunk(one.take(0)[0], limits)
        one.add(heard, None, Messages(), 0)
        kept += len(heard.rejects)
        unkept += heard.counts.unkept
        left = left[heard.counts.messages :]
    prepare_chunk(one.take(0)[0], limits)
    assert kept > 50
    assert kept + unkept == len(topics)


def tagged(tags: int, tag_bytes: int, fields: int) -> bytes:
    """A line of Influx's protocol: each field is a series that has all tags."""
    labels = "".join(f",k{n:02}{'a' * tag_bytes}={'v' * tag_bytes}" for n in range(tags))
    return f"m{labels} {','.join(f'f{n}=1' for n in range(fields))}".encode()


@pytest.mark.parametrize(
    "line", [tagged(31, 250, 60), tagged(9, 10, 40), tagged(2, 250, 300), tagged(31, 1, 200)]
)
def test_new_series_are_never_more_than_a_chunk_takes_whatever_their_labels(line: bytes) -> None:
    reader = Reader(Catalog(salt=lambda: bytes(16)), Redelivery(bytes(32)))
    left: Sequence[Message] = [
        Message(f"host/{number}", line, 1, False, False, NOW_US, 1, 1, number + 1)
        for number in range(200)
    ]
    told = 0
    while left:
        heard = reader.read(left)
        assert heard.counts.messages
        prepare_chunk(heard.as_chunk(), StoreLimits())  # ValueError: it is too large
        told += len(heard.new_entries) + heard.counts.rejected
        left = left[heard.counts.messages :]
    assert told > 100
