"""A package over a line that loses, doubles, delays and is cut: whole in the end, and bounded."""

import hashlib
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.rollout.line import ModelLine
from edge.sync_models import ASK_AGAIN_US, Fetch, Wanted
from protos import sync_pb2 as pb
from protos.limits import MODEL_PIECE_BYTES_MAX


def offers_of(data: bytes) -> pb.ModelOffers:
    sha256 = hashlib.sha256(data).digest()
    return pb.ModelOffers(offers=[pb.ModelOffer(rollout=1, sha256=sha256, size=len(data))])


class World:
    """One gateway, one cloud and what is on the line between them."""

    def __init__(self, data: bytes, chance: Random, lossy: float) -> None:
        self.data, self.chance, self.lossy = data, chance, lossy
        self.held = b""
        self.fetch, self.session, self.now_us = Fetch(), 0, 1
        self.up: list[pb.ModelAsk] = []
        self.down: list[pb.CloudMessage] = []
        self.pieces = 0
        self.connect()

    def connect(self) -> None:
        """A new session: what was on the line is gone, and what is held stays."""
        self.session += 1
        self.line = ModelLine()
        self.up.clear()
        self.down.clear()
        self.fetch.begin()
        self.line.offer(offers_of(self.data))

    def put(self, road: list[Any], message: object) -> None:
        if self.chance.random() < self.lossy:
            return
        road.insert(self.chance.randint(0, len(road)) if self.lossy else len(road), message)
        if self.chance.random() < self.lossy:
            road.append(message)

    def step(self) -> None:
        self.now_us += ASK_AGAIN_US // 4
        if self.up:
            self.line.asked(self.up.pop(0))
        if (reading := self.line.to_read()) is not None:
            assert reading.length <= MODEL_PIECE_BYTES_MAX
            self.line.was_read(self.data[reading.offset : reading.offset + reading.length])
        for message in self.line.due(self.session):
            self.put(self.down, message)
        if self.down:
            self.hear(self.down.pop(0))
        wanted = Wanted(hashlib.sha256(self.data).digest(), len(self.data), len(self.held))
        if (ask := self.fetch.ask(wanted, self.now_us)) is not None:
            self.put(self.up, ask)

    def hear(self, message: pb.CloudMessage) -> None:
        if message.HasField("model_offers"):
            self.fetch.offered(message.model_offers.session)
            return
        self.pieces += 1
        more = self.fetch.piece(message.model_piece)
        assert self.data.startswith(self.held + more), "bytes where they do not belong"
        # A power cut in the middle of a write: any part of it may be on the disk.
        is_torn = self.chance.random() < self.lossy / 4
        self.held += more[: self.chance.randint(0, len(more))] if is_torn else more
        if is_torn:
            self.connect()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6 * MODEL_PIECE_BYTES_MAX), st.integers(0, 1 << 30))
def test_a_package_comes_whole_over_a_lossy_line_that_is_cut_anywhere(size: int, seed: int) -> None:
    chance = Random(seed)
    world = World(chance.randbytes(size), chance, 0.2)
    for number in range(4000):
        if number < 2000 and chance.random() < 0.02:
            world.connect()
        if number == 2000:
            world.lossy = 0.0
            world.connect()
        world.step()
        if len(world.held) == size:
            break
    assert world.held == world.data


@given(st.integers(1, 6 * MODEL_PIECE_BYTES_MAX))
@settings(max_examples=20, deadline=None)
def test_on_a_good_line_each_byte_is_sent_once(size: int) -> None:
    world = World(Random(size).randbytes(size), Random(1), 0.0)
    while len(world.held) < size:
        world.step()
    assert world.pieces == -(-size // MODEL_PIECE_BYTES_MAX)


def test_what_is_not_offered_and_what_lies_beyond_the_end_is_refused_with_a_reason() -> None:
    line = ModelLine()
    line.offer(offers_of(b"package"))
    line.due(1)
    for ask, word in (
        (pb.ModelAsk(sha256=bytes(32)), "not offered"),
        (pb.ModelAsk(sha256=hashlib.sha256(b"package").digest(), offset=7), "7 bytes"),
    ):
        line.asked(ask)
        assert line.to_read() is None
        (told,) = line.due(1)
        assert word in told.model_piece.refused


def test_a_package_that_cannot_be_read_is_not_asked_for_again_in_the_session() -> None:
    line, fetch = ModelLine(), Fetch()
    offers = offers_of(b"package")
    line.offer(offers)
    line.due(3)
    fetch.offered(3)
    wanted = Wanted(offers.offers[0].sha256, 7, 0)
    ask = fetch.ask(wanted, 1)
    assert ask is not None
    line.asked(ask)
    assert line.to_read() is not None
    line.was_read(None, "the disk is gone")
    (told,) = line.due(3)
    assert fetch.piece(told.model_piece) == b""
    assert fetch.ask(wanted, 10 * ASK_AGAIN_US) is None
    fetch.begin()
    fetch.offered(4)
    assert fetch.ask(wanted, 10 * ASK_AGAIN_US) is not None


def test_a_gateway_says_nothing_of_models_before_the_cloud_has() -> None:
    fetch = Fetch()
    wanted = Wanted(bytes(32), 7, 0)
    assert fetch.ask(wanted, 1) is None
    fetch.offered(1)
    assert fetch.ask(wanted, 1) is not None


def test_a_later_question_takes_the_place_of_one_that_is_being_read() -> None:
    data = bytes(3 * MODEL_PIECE_BYTES_MAX)
    line, sha256 = ModelLine(), hashlib.sha256(data).digest()
    line.offer(offers_of(data))
    line.due(1)
    line.asked(pb.ModelAsk(sha256=sha256))
    first = line.to_read()
    assert first is not None
    line.asked(pb.ModelAsk(sha256=sha256, offset=MODEL_PIECE_BYTES_MAX))
    assert line.to_read() is None
    line.was_read(bytes(first.length))
    assert not line.due(1)
    second = line.to_read()
    assert second is not None
    line.was_read(bytes(second.length))
    (told,) = line.due(1)
    assert told.model_piece.offset == MODEL_PIECE_BYTES_MAX
    assert not line.due(1)
