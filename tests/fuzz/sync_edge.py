"""What a cloud, sound or forged, may say to a gateway's session, message by message.

The real `edge.sync.Session` over the card of the simulation. An input is a row of steps: the
gateway works, an honest cloud answers, or a message comes that is bent or raw. Whatever is said,
the session goes on or closes with a reason, and never asks its buffer for what makes no sense.
"""

from collections import Counter
from random import Random
from typing import Any

from google.protobuf.message import DecodeError

from edge.sync_effects import BeginEpoch, BufferState, Close, Effect, LoadBlocks, Mark, Phase, Seal
from protos import sync_pb2 as pb
from protos.block import ChunkRun
from protos.codec.wire import FormatError
from protos.limits import BLOCK_BYTES_TARGET, MIB, WINDOW_BYTES_MAX
from protos.token import read_token
from tests.fuzz.source import Source, bent
from tests.sim.aggregator import Cloud
from tests.sim.card import Buffer
from tests.sim.gateway import Gateway
from tests.sim.link import Link

INPUT_BYTES_MAX = 1 << 12
MEMORY_MAX = 32 * MIB
STEPS_MAX = 200
WORDS: list[bytes] = []


class Card(Buffer):
    """The card of the simulation; what a forged grant names may be any number of chunks."""

    def begin_epoch(
        self, epoch: int, dropped: tuple[ChunkRun, ...], kept: tuple[int, int], generation: int
    ) -> BufferState:
        held = self.holds()
        known = tuple(
            ChunkRun(prefix, number, 1)
            for prefix, number in held
            if any(
                run.prefix == prefix and run.first <= number < run.first + run.count
                for run in dropped
            )
        )
        return super().begin_epoch(epoch, known, kept, generation)


def seeds() -> list[bytes]:
    """An honest life; one with every bent answer; one that is interrupted; a token."""
    work = bytes((1, 2, 3, 2, 3, 2, 3)) * 4
    return [
        b"\0" + bytes((1, 0, 1, 0)) + work * 3,
        b"\0" + bytes((1, 0)) + work + b"".join(bytes((4, kind, 1, 1, 1, 5)) for kind in range(5)),
        b"\0" + bytes((1, 0)) + work + bytes((6,)) + work + bytes((7, 200)) + work,
        b"\1tg1-AAAA",
    ]


def check(data: bytes) -> None:
    """Raise unless the session keeps to what it may ask and say."""
    if data[:1] == b"\1":
        try:
            read_token(data[1:].decode("utf-8", "replace"))
        except FormatError:
            return
        return
    Life(Source(data[1:])).live()


class Life:
    """A gateway before a cloud that is honest, beside one that is not."""

    def __init__(self, source: Source) -> None:
        chance = Random(1)
        self.source, self.chance = source, chance
        self.cloud = Cloud()
        self.gateway = Gateway(chance, Counter(), Card())
        self.lines: list[Link] = []
        self.now_us = 1
        self.connect()

    def live(self) -> None:
        for _ in range(STEPS_MAX):
            if self.source.is_spent:
                return
            self.step()
            self.look()

    def connect(self) -> None:
        self.now_us += 1000
        link = Link(self.chance, 0.0, Counter())
        self.lines = [link]
        self.gateway.connect(link, self.now_us)

    def step(self) -> None:
        gateway, source = self.gateway, self.source
        if gateway.link is None:
            self.connect()
        match source.below(8):
            case 0 | 1:
                gateway.take_in(names_series=bool(source.below(2)))
            case 2:
                self.act()
            case 3:
                for link in self.lines:
                    self.cloud.hear(link)
                self.cloud.commit()
                gateway.hear()
            case 4:
                self.hear(self.forged())
            case 5:
                try:
                    self.hear(pb.CloudMessage.FromString(source.sized()))
                except DecodeError:  # gRPC would end the stream
                    self.connect()
            case 6:
                gateway.crash(power=False)
            case _:
                self.now_us += source.byte() * 1_000_000
                gateway.look(self.now_us)

    def act(self) -> None:
        """The shell carries out what is due, each effect looked at before."""
        for _ in range(8):
            if self.gateway.todo:
                self.check_effect(self.gateway.todo[0])
            if self.gateway.todo and isinstance(self.gateway.todo[0], Close):
                self.gateway.disconnect()  # of a code that this version may not even know
            self.gateway.act()

    def hear(self, message: pb.CloudMessage) -> None:
        session = self.gateway.session
        if session is None:
            return
        was_closed = session.phase is Phase.CLOSED
        effects = session.received(message)
        assert not (was_closed and effects), "a closed session speaks"
        self.gateway.todo.extend(effects)

    def forged(self) -> pb.CloudMessage:
        """An answer that fits where the session is, then bent."""
        session, source = self.gateway.session, self.source
        assert session is not None
        state = self.gateway.buffer.state()
        here: dict[str, Any] = {"session": session.number, "epoch": session.epoch}
        match source.below(5):
            case 0:
                made = pb.CloudMessage(
                    resume=pb.Resume(
                        protocol=1, **here, generation=1, stored=state.stored, window_bytes=2000
                    )
                )
            case 1:
                made = pb.CloudMessage(ack=pb.Ack(**here, stored=state.head, archived=state.stored))
            case 2:
                made = pb.CloudMessage(resend=pb.Resend(**here, from_seq=state.stored + 1))
            case 3:
                grant = pb.EpochGrant(
                    session=session.number, epoch=session.epoch + 1, previous_epoch=session.epoch
                )
                made = pb.CloudMessage(epoch_grant=grant)
            case _:
                made = pb.CloudMessage(fault=pb.Fault(code=pb.FENCED, message="m", hint="h"))
        bent(getattr(made, made.WhichOneof("body") or ""), source)
        return made

    def check_effect(self, effect: Effect) -> None:
        buffer = self.gateway.buffer
        match effect:
            case Mark(stored, archived):
                assert archived <= stored <= buffer.head, f"acks beyond what is sealed: {effect}"
            case BeginEpoch(epoch):
                assert epoch > buffer.epoch, "an epoch that does not rise"
            case LoadBlocks(from_seq, bytes_max):
                assert from_seq >= 1
                assert 1 <= bytes_max <= WINDOW_BYTES_MAX
            case Seal(bytes_target):
                assert 1 <= bytes_target <= BLOCK_BYTES_TARGET
            case Close(_, message):
                assert message or effect.code, "closed without a reason"

    def look(self) -> None:
        """What is under way is within the window, but for one block too big for any."""
        session = self.gateway.session
        if session is not None and session.phase is Phase.LIVE:
            assert session.archived <= session.stored <= session.head
