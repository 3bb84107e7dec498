"""What proves a block: listings of its devices, remembered to a bound."""

from protos.block import read_block
from protos.codec import content
from protos.records import Kind, numbers
from tests.protos.blocks import sealed, small


def test_listings_of_devices_are_remembered_to_a_bound(monkeypatch) -> None:
    monkeypatch.setattr(content, "_heard", heard := {})
    monkeypatch.setattr(content, "_HEARD_MAX", 2)
    for series in ([1], [2], [1], [3], [1]):
        block = sealed(numbers(series, [10], [1.5], 0, [0]))
        for _ in range(2):
            assert read_block(block.data)[2].kind(Kind.NUMBERS)["series"].tolist() == series
        assert 1 <= len(heard) <= 2
    monkeypatch.setattr(content, "_HEARD_BYTES_MAX", 20)
    heard.clear()
    read_block(sealed(small()).data)
    assert not heard
