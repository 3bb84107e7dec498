"""Garbage takes no more of a chunk than the buffer gives, whatever its topics are."""

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
    one = Gathering()
    kept = unkept = 0
    while left:
        heard = reader.read(left)
        if not one.takes(heard):
            prepare_chunk(one.take(0)[0], StoreLimits())  # ValueError: it is too large
        one.add(heard, None, Messages(), 0)
        kept += len(heard.rejects)
        unkept += heard.counts.unkept
        left = left[heard.counts.messages :]
    assert kept > 50
    assert kept + unkept == len(topics)
