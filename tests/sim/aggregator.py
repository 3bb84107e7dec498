"""The cloud of the simulated world: the real rules over a journal that may lose its last words."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cloud.journal_cursor import (
    Cursor,
    Decision,
    ack,
    archive,
    decide_block,
    decide_declare,
    forgive,
)
from cloud.journal_hello import decide_epoch_request, decide_hello
from protos import sync_pb2 as pb
from protos.block import ChunkRun, Header
from protos.codec.header import chain_hash, decode_header
from protos.series import EMPTY_ROOT, decode_entry, roll
from tests.sim.gateway import NAME, Chunk, chunks_of
from tests.sim.link import Link

WINDOW_BYTES = 2000  # a few blocks of this world


@dataclass
class Disk:
    """What is durable; the last transaction is a copy of it."""

    cursor: Cursor = field(default_factory=lambda: Cursor(NAME))
    blocks: list[tuple[Header, bytes]] = field(default_factory=list)
    roots: dict[int, list[bytes]] = field(default_factory=dict)
    archived: int = 0
    generation: int = 1

    def hash_at(self, epoch: int, seq: int) -> bytes | None:
        names = (hash for header, hash in self.blocks if (header.epoch, header.seq) == (epoch, seq))
        return next(names, None)

    def chunks_above(self, epoch: int, seq: int) -> Sequence[ChunkRun]:
        above = (header for header, _ in self.blocks if (header.epoch, header.seq) > (epoch, seq))
        return [run for header in above for run in header.chunks]

    def root_at(self, epoch: int, entry: int) -> bytes | None:
        roots = self.roots.get(epoch, [EMPTY_ROOT])
        return roots[entry] if entry < len(roots) else None

    def copy(self) -> "Disk":
        roots = {epoch: list(roots) for epoch, roots in self.roots.items()}
        return replace(self, blocks=list(self.blocks), roots=roots)

    def chunks(self) -> list[Chunk]:
        return [chunk for header, _ in self.blocks for chunk in chunks_of(header)]


class Cloud:
    """`hear` judges, `commit` makes durable and only then answers; a crash forgets in between."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.open = self.disk.copy()
        self.unsaid: list[tuple[Link, pb.CloudMessage]] = []
        self.sessions: dict[int, Link] = {}
        self.alarms: list[str] = []

    def hear(self, link: Link) -> None:
        if not link.up or link.is_ended:
            return
        message, disk = link.up.popleft(), self.open
        match message.WhichOneof("body"):
            case "hello":
                decision = self.greet(message.hello)
                self.sessions[decision.cursor.session] = link
            case "block":
                session = message.block.session
                decision = self.judge(message.block)
                late = decision.append and session != disk.cursor.session
                assert not late, "a fenced session has stored a block"
            case "declare":
                told = message.declare
                entries = [decode_entry(entry) for entry in told.entries]
                where = {"session": told.session, "epoch": told.epoch, "first": told.first}
                decision = decide_declare(disk.cursor, **where, entries=entries)
                roots = disk.roots.setdefault(disk.cursor.epoch, [EMPTY_ROOT])
                for entry in decision.entries:
                    roots.append(roll(roots[-1], entry.leaf))
            case _:
                decision = decide_epoch_request(disk.cursor, disk, message.epoch_request)
        if decision.alarm is not None:
            self.alarms.append(decision.alarm.name)
        disk.cursor = decision.cursor
        self.say(link, decision)

    def greet(self, hello: pb.Hello) -> Decision:
        disk = self.open
        return decide_hello(
            disk.cursor, disk, hello, generation=disk.generation, window_bytes=WINDOW_BYTES
        )

    def read(self, data: bytes) -> tuple[Header, bytes]:
        return decode_header(data), chain_hash(data)

    def judge(self, block: pb.BlockData) -> Decision:
        header, found = self.read(block.data)
        decision = decide_block(
            self.open.cursor,
            self.open,
            session=block.session,
            epoch=block.epoch,
            seq=block.seq,
            header=header,
            hash=found,
        )
        if decision.append:
            self.open.blocks.append((header, found))
        return decision

    def say(self, link: Link, decision: Decision) -> None:
        self.unsaid += [(link, reply) for reply in decision.replies]
        link.is_ended |= decision.ends

    def commit(self) -> None:
        self.disk = self.open.copy()
        for link, reply in self.unsaid:
            link.tell(reply)
        self.unsaid.clear()

    def consolidate(self, count: int) -> None:
        """The lake takes more of what is durable."""
        offset = min(self.open.archived + count, len(self.disk.blocks))
        for header, _ in self.disk.blocks[self.open.archived : offset]:
            self.open.cursor = archive(self.open.cursor, header.epoch, header.seq)
        self.open.archived = offset
        cursor = self.open.cursor
        link = self.sessions.get(cursor.session)
        if link is not None:
            self.unsaid.append((link, ack(cursor)))

    def forgive(self) -> None:
        """An operator has stopped the copy."""
        self.open.cursor = forgive(self.open.cursor)

    def crash(self) -> None:
        self.open = self.disk.copy()
        self.unsaid.clear()
        self.sessions.clear()
