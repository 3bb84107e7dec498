"""Corrections of times: kept in the buffer before they are forgotten, and sent before readings."""

from typing import Any

import pytest

from edge.chunk import Chunk
from edge.clock import SANE_FROM_US, Clock
from edge.corrections import keep_known
from edge.message import Message
from edge.reading import Reader
from edge.store.limits import BufferFull
from edge.timeline import STILL_FOR_US
from protos.block import read_block
from protos.records import Kind, Quality
from protos.stretch import TAG_MAX, stretch_tag
from tests.edge.test_pains import reader

TRUTH_US = SANE_FROM_US + 1_000_000_000
BOOT = b"boot" * 4


class Clocks:
    """A machine that boots in 1970; ``set`` makes its clock right."""

    def __init__(self) -> None:
        self.mono_us = 10_000_000
        self.ahead_us = 0
        self.clock = Clock(
            wall=lambda: self.mono_us + self.ahead_us,
            mono=lambda: self.mono_us,
            synced=lambda: True,
            stepped=lambda: None,
            boot_id=BOOT,
        )

    def set_right(self) -> None:
        self.ahead_us = TRUTH_US
        self.clock.settle()
        self.mono_us += STILL_FOR_US


def heard(clocks: Clocks, of: Reader, payload: bytes) -> Chunk:
    stamp = clocks.clock.now()
    message = Message(
        "plant/pump", payload, qos=1, retain=False, dup=False, arrival_us=stamp.wall_us,
        quality=int(stamp.quality), session=1, packet_id=1, stretch=stamp.stretch,
    )  # fmt: skip
    return of.read([message]).as_chunk()


def test_a_correction_is_sent_before_the_readings_it_corrects(world: Any) -> None:
    clocks, store, of = Clocks(), world.open(), reader()
    store.commit(heard(clocks, of, b'{"flow": 7}')).result()
    assert keep_known(clocks.clock, store) == 0, "nothing is known yet"
    clocks.mono_us += 3_600_000_000
    clocks.set_right()
    assert keep_known(clocks.clock, store) == 1
    assert keep_known(clocks.clock, store) == 0, "once it is kept it is forgotten"
    first, second = (read_block(block.data)[2] for block in world.drain(store))
    correction, readings = first.kind(Kind.CORRECTIONS), second.kind(Kind.NUMBERS)
    tag = stretch_tag(correction["boot_id"][0].tobytes(), int(correction["mono_from"][0]))
    assert readings["arrival"][0] - readings["ts"][0] == tag
    assert readings["quality"][0] == Quality.GATEWAY_UNSYNCED
    assert readings["ts"][0] == correction["ts"][0] == 10_000_000
    assert readings["ts"][0] + correction["offset"][0] == TRUTH_US + 10_000_000
    assert correction["mono_to"][0] >= correction["mono_from"][0] == 10_000_000


def test_a_time_that_the_sensor_told_has_its_true_arrival_and_no_tag(world: Any) -> None:
    clocks, store = Clocks(), world.open()
    payload = b'{"ts": 1750000000, "flow": 7}'
    store.commit(heard(clocks, reader(), payload)).result()
    (block,) = world.drain(store)
    rows = read_block(block.data)[2].kind(Kind.NUMBERS)
    assert (rows["quality"][0], rows["ts"][0]) == (Quality.SENSOR, 1_750_000_000_000_000)
    assert rows["arrival"][0] == 10_000_000


def test_what_a_crash_left_untold_is_told_again_the_same(world: Any) -> None:
    clocks, store = Clocks(), world.open()
    clocks.clock.now()
    clocks.set_right()
    before = clocks.clock.settle()
    clocks.mono_us += 7_000_000
    clocks.ahead_us += 300_000  # slewed meanwhile
    assert clocks.clock.settle() == before
    assert keep_known(clocks.clock, store) == 1


def test_a_full_buffer_keeps_corrections_waiting(world: Any) -> None:
    clocks = Clocks()
    clocks.clock.now()
    clocks.set_right()

    class Full:
        def commit(self, chunk: Chunk) -> Any:
            raise BufferFull("keep a chunk", "it is full", "wait")

    with pytest.raises(BufferFull):
        keep_known(clocks.clock, Full())  # type: ignore[arg-type]
    assert keep_known(clocks.clock, world.open()) == 1


def test_tags_are_small_never_zero_and_of_their_boot() -> None:
    tags = {stretch_tag(bytes([boot]) * 16, at) for boot in range(50) for at in range(50)}
    assert len(tags) == 2500
    assert min(tags) > 0
    assert max(tags) <= TAG_MAX
