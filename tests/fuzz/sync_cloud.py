"""What a gateway, sound or forged, may say to the cloud, message by message and stream by stream.

The real servicer, streams, rules and SQLite journal; only gRPC and its certificate are stood in
for. An input is a row of steps (see `Talk.step`): honest messages, the same with bent fields, raw
bytes, and cuts. Whatever is said, the answers are protocol, what is stored is a chain, and the next
gateway is served.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from cloud.ingest.identity import GatewayCertificate
from cloud.ingest.service import Ingest
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.registry.registry import Admission
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, read_header
from protos.limits import DECLARE_ENTRIES_MAX, MIB, MODEL_PIECE_BYTES_MAX
from protos.series import SeriesEntry, SeriesKey, encode_entry, make_entry, roll
from tests.contract.sender import Sender
from tests.fuzz.source import Source, bent

INPUT_BYTES_MAX = 1 << 13
MEMORY_MAX = 64 * MIB
STEPS_MAX = 24
LIVES_MAX = 400
"""Gateways of one journal; then a new one is made, so that no input pays for those before it."""
WORDS: list[bytes] = []
TAKEN = ("hello", "epoch_request", "declare", "block", "status", "model_ask", "model_report")
PACKAGE = bytes(range(256)) * 300
OFFERED = sha256(PACKAGE).digest()


def seeds() -> list[bytes]:
    """A whole session, one that is cut and resumed, and one of every message bent."""
    hello, epoch, series = b"\1\0", b"\2\0", b"\3\2\0"
    block, status, cut, again = b"\4\0\0", b"\5\0", b"\6", b"\7\3\0"
    honest = hello + epoch + series + block + block + status
    return [
        honest,
        honest + b"\x08\0\x09\0\x08\0" + block + b"\x08\1\3\1\5" + b"\x09\1\2\1\7" + block,
        honest + cut + hello + block + again + block,
        hello + epoch + block + again + cut + hello + block + epoch + block,
        b"\1\1\5\0" + honest + b"\2\1\0\1" + b"\4\0\1\1\1\7" + b"\3\1\1\2\1\3",
        b"\0\5\0hello" + honest,
        hello + epoch + b"\3\xff\0" + block + cut + b"\1\1\2\1\1" + block,
    ]


class Line:
    """What gRPC would give a servicer: whose certificate it is, and a way to answer."""

    def __init__(self) -> None:
        self.said: list[pb.CloudMessage] = []

    async def write(self, message: pb.CloudMessage) -> None:
        assert message.WhichOneof("body"), "an empty answer"
        message.SerializeToString()
        self.said.append(message)

    def auth_context(self) -> dict[str, list[bytes]]:
        raise AssertionError("the certificate was looked at already")


class Offered:
    """One package for every gateway."""

    def offers(self, gateway: str) -> pb.ModelOffers:
        return pb.ModelOffers(offers=[pb.ModelOffer(sha256=OFFERED, size=len(PACKAGE))])

    def read(self, sha256: bytes, offset: int, length: int) -> bytes:
        assert sha256 == OFFERED, "a package that was not offered is read"
        assert 0 <= offset < len(PACKAGE)
        assert 0 < length <= MODEL_PIECE_BYTES_MAX
        return PACKAGE[offset : offset + length]

    def reported(self, gateway: str, report: pb.ModelReport) -> None:
        assert report.session, "a report of no session"


class Door(Ingest):
    """The real servicer behind a certificate that was looked at."""

    name = ""

    async def admitted(self, context: Any) -> GatewayCertificate:
        return GatewayCertificate(self.name, "1", "", 0, b"")


class Cloud:
    """A journal on a disk in memory, and the servicer before it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.lives = 0
        self.begin()

    def begin(self) -> None:
        """A new journal."""
        self.folder = tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True)
        clock = iter(range(1_700_000_000_000_000, 1 << 62, 1000))
        self.journal = SqliteJournal.open(Path(self.folder.name), now_us=lambda: next(clock))

        async def made() -> Door:
            return Door(
                self.journal,
                admit=lambda _: Admission.ADMITTED,
                heard=lambda _: None,
                now_us=lambda: 0,
                models=Offered(),
            )

        self.door = self.loop.run_until_complete(made())

    def live(self, data: bytes) -> None:
        """One gateway's life, from its bytes."""
        self.lives += 1
        if self.lives % LIVES_MAX == 0:
            self.journal.close()
            self.begin()
        name = f"g{self.lives:08d}"
        talk = Talk(self, name, Source(data))
        while not talk.source.is_spent and talk.steps < STEPS_MAX:
            self.talk_once(talk)
        self._check(name)
        if self.lives % 50 == 0:
            self.talk_once(Talk(self, f"h{self.lives:08d}", Source(seeds()[0])), is_honest=True)

    def talk_once(self, talk: "Talk", *, is_honest: bool = False) -> None:
        """One stream, until it is cut or refused."""
        self.door.name = talk.name
        line = talk.line = Line()
        self.loop.run_until_complete(self.door.Session(talk.requests(), line))  # type: ignore[arg-type]
        faults = [reply.fault for reply in line.said if reply.HasField("fault")]
        ours = [fault for fault in faults if fault.code == pb.CODE_UNSPECIFIED]
        assert not ours, f"a fault of this program: {ours}"
        assert self.door.waiting_bytes == 0, "bytes of an ended stream are still counted"
        if is_honest:
            assert not faults, f"an honest gateway is refused: {faults}"
            assert line.said[-1].ack.stored == 2, "an honest gateway is not served"

    def _check(self, name: str) -> None:
        cursor = next((one for one in self.journal.cursors() if one.gateway == name), Cursor(name))
        tally = self.journal.counts().get(name)
        stored = tally.total.blocks if tally is not None else 0
        assert cursor.archived <= cursor.stored
        ends: dict[int, tuple[int, bytes]] = {}
        count = 0
        for entry in self.journal.read(max(0, self.journal.head() - stored), 64 * MIB):
            header, found = read_header(entry.data)
            assert (header.gateway, header.epoch, header.seq) == (name, entry.epoch, entry.seq)
            past = ends.get(header.epoch, (0, GENESIS_HASH))
            assert (header.seq - 1, header.prev_hash) == past, "the stored chain has a hole"
            ends[header.epoch] = (header.seq, found)
            count += 1
        assert count == stored
        assert ends.get(cursor.epoch, (0, GENESIS_HASH)) == (cursor.stored, cursor.stored_hash)


class Talk:
    """A gateway's side, over all its streams; ``source`` says what it does."""

    def __init__(self, cloud: Cloud, name: str, source: Source) -> None:
        self.cloud, self.name, self.source = cloud, name, source
        self.sender = Sender(cloud.journal, name)
        self.line = Line()
        self.steps = 0

    async def requests(self) -> AsyncIterator[pb.GatewayMessage]:
        """What it says on one stream; after each message the answers are awaited."""
        while not self.source.is_spent and self.steps < STEPS_MAX:
            self.steps += 1
            message = self.step()
            if message is None:
                return
            before = len(self.line.said)
            yield message
            await self._settle()
            for reply in self.line.said[before:]:
                self._hear(reply)

    async def _settle(self) -> None:
        """Until the journal has answered all it was asked, and the answers were said."""
        done = self.cloud.journal.mark_archived(0)
        await asyncio.wrap_future(done)
        for _ in range(8):
            await asyncio.sleep(0)

    def _hear(self, reply: pb.CloudMessage) -> None:
        sender = self.sender
        if reply.HasField("resume"):
            sender.session = reply.resume.session
        elif reply.HasField("epoch_grant"):
            sender.epoch = reply.epoch_grant.epoch
            sender.blocks, sender.series = [], []
            sender.root = bytes(32)

    def step(self) -> pb.GatewayMessage | None:
        """The next message; None ends the stream."""
        source = self.source
        match source.below(10):
            case 0:
                try:
                    return pb.GatewayMessage.FromString(source.sized())
                except DecodeError:  # gRPC would end the stream
                    return None
            case 6:
                return None
            case 7:
                kind, again = source.below(len(TAKEN)), source.byte()
                return self.message(kind, self.sender.blocks[again % 4 :])
            case kind:
                which = kind - 1 if kind < 6 else kind - 3
                made = self.message(which, [])
                bent(getattr(made, TAKEN[which]), source)
                return made

    def message(self, kind: int, past: list[Any]) -> pb.GatewayMessage:
        """An honest message; of ``past`` blocks the first is said again."""
        sender = self.sender
        where = {"session": sender.session, "epoch": sender.epoch}
        match TAKEN[kind]:
            case "hello":
                return pb.GatewayMessage(hello=self.hello())
            case "epoch_request":
                told = pb.EpochRequest(session=sender.session, closed_epoch=sender.epoch)
                return pb.GatewayMessage(epoch_request=told)
            case "declare":
                return pb.GatewayMessage(declare=self.declare(where))
            case "block" if sender.epoch:
                block = past[0] if past else sender.make(mark=self.source.below(2))
                told_block = pb.BlockData(**where, seq=block.header.seq, data=block.data)
                return pb.GatewayMessage(block=told_block)
            case "block":
                return pb.GatewayMessage(block=pb.BlockData(**where, seq=1, data=b"TGB\1\0"))
            case "model_ask":
                where["offset"] = 1000 * self.source.byte()
                del where["epoch"]
                return pb.GatewayMessage(model_ask=pb.ModelAsk(sha256=OFFERED, **where))
            case "model_report":
                models = [pb.ModelBehaviour()] * self.source.byte()
                report = pb.ModelReport(session=sender.session, models=models)
                return pb.GatewayMessage(model_report=report)
            case _:
                return pb.GatewayMessage(status=pb.Status(backlog_rows=1))

    def hello(self) -> pb.Hello:
        sender = self.sender
        return pb.Hello(
            protocol_min=1,
            protocol_max=1,
            gateway=self.name,
            epoch=sender.epoch,
            head=len(sender.blocks),
            head_hash=sender.blocks[-1].hash if sender.blocks else GENESIS_HASH,
            oldest_kept=1,
            boot_id=sender.boot_id,
            series_high=len(sender.series),
            series_root=sender.root,
            mono_us=self.steps,
        )

    def declare(self, where: dict[str, int]) -> pb.Declare:
        """Up to 63 series more, or a list that is too long."""
        sender, count = self.sender, self.source.byte() % 64
        first = len(sender.series) + 1
        entries = [_entry(number) for number in range(first, first + count)]
        is_long = count == 63
        if not is_long:
            sender.series += entries
            for entry in entries:
                sender.root = roll(sender.root, entry.leaf)
        told = [encode_entry(entry) for entry in entries]
        told *= DECLARE_ENTRIES_MAX // 32 if is_long else 1
        return pb.Declare(**where, first=first, entries=told or [encode_entry(_entry(first))])


def _entry(number: int) -> SeriesEntry:
    key = SeriesKey("pump", f"metric {number}")
    return make_entry(number, 1, key, number.to_bytes(16, "big"))


@cache
def cloud() -> Cloud:
    return Cloud()


def check(data: bytes) -> None:
    """Raise unless every answer is protocol and the journal is sound."""
    cloud().live(data)
