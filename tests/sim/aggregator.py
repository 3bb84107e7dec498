"""The cloud of the simulated world: the real rules over a journal that may lose its last words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cloud.journal import cursor as journal_cursor
from cloud.journal.cursor import Cursor, Decision, ack, archive, decide_declare, forgive
from cloud.journal.hello import decide_epoch_request, decide_hello
from cloud.journal.restore import reborn
from protos import sync_pb2 as pb
from protos.block import ChunkRun, Header
from protos.codec.header import chain_hash, decode_header
from protos.series import EMPTY_ROOT, decode_entry, roll
from tests.sim.card import NAME, Stored, stored
from tests.sim.lake import Handle, Lake
from tests.sim.link import Link

WINDOWS_BYTES = (300, 2000)  # one block of this world, or a few


@dataclass
class Disk:
    """What is durable of the journal; the last transaction is a copy of it."""

    cursor: Cursor = field(default_factory=lambda: Cursor(NAME))
    blocks: list[Stored] = field(default_factory=list)
    roots: dict[int, list[bytes]] = field(default_factory=dict)
    archived: int = 0
    generation: int = 1

    def hash_at(self, epoch: int, seq: int) -> bytes | None:
        for header, hash, *_ in reversed(self.blocks):
            if (header.epoch, header.seq) <= (epoch, seq):
                return hash if (header.epoch, header.seq) == (epoch, seq) else None
        return None

    def chunks_above(self, epoch: int, seq: int) -> Sequence[ChunkRun]:
        runs: list[ChunkRun] = []
        for header, *_ in reversed(self.blocks):
            if (header.epoch, header.seq) <= (epoch, seq):
                break
            runs += header.chunks
        return runs

    def root_at(self, epoch: int, entry: int) -> bytes | None:
        roots = self.roots.get(epoch, [EMPTY_ROOT])
        return roots[entry] if entry < len(roots) else None

    def copy(self) -> "Disk":
        roots = {epoch: list(roots) for epoch, roots in self.roots.items()}
        return replace(self, blocks=list(self.blocks), roots=roots)


class Cloud:
    """`hear` judges, `commit` makes durable and only then answers; a crash forgets in between.

    ``changes`` counts what became durable, ``reached`` what the rules said.
    """

    def __init__(self) -> None:
        self.window_bytes = WINDOWS_BYTES[-1]
        self.disk = Disk()
        self.open = self.disk.copy()
        self.lake = Lake()
        self.handle: tuple[Handle, list[Stored], int] | None = None
        self.unsaid: list[tuple[Link, pb.CloudMessage]] = []
        self.sessions: dict[int, Link] = {}
        self.reached: Counter[str] = Counter()
        self.changes = 0
        self.is_moved = False

    def hear(self, link: Link) -> None:
        if not link.up or link.is_ended or link.is_stalled:
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
            self.reached[f"alarm {decision.alarm.name}"] += 1
        self.is_moved |= decision.append or disk.cursor != decision.cursor
        disk.cursor = decision.cursor
        self.say(link, decision)

    def greet(self, hello: pb.Hello) -> Decision:
        disk = self.open
        decision = decide_hello(
            disk.cursor, disk, hello, generation=disk.generation, window_bytes=self.window_bytes
        )
        self.reached["late hello refused"] += decision.cursor.late > disk.cursor.late
        return decision

    def read(self, data: bytes) -> tuple[Header, bytes]:
        return decode_header(data), chain_hash(data)

    def judge(self, block: pb.BlockData) -> Decision:
        header, found = self.read(block.data)
        decision = journal_cursor.decide_block(
            self.open.cursor,
            self.open,
            session=block.session,
            epoch=block.epoch,
            seq=block.seq,
            header=header,
            hash=found,
        )
        if decision.append:
            self.open.blocks.append(stored(header, found))
        return decision

    def say(self, link: Link, decision: Decision) -> None:
        for reply in decision.replies:
            body = reply.WhichOneof("body")
            name = pb.Code.Name(reply.fault.code) if body == "fault" else body
            self.reached[f"answer {name}"] += 1
        self.unsaid += [(link, reply) for reply in decision.replies]
        link.is_ended |= decision.ends

    def commit(self) -> None:
        if self.is_moved:
            self.disk = self.open.copy()
            self.is_moved = False
            self.changes += 1
        for link, reply in self.unsaid:
            link.tell(reply)
        self.unsaid.clear()

    def plan(self, count: int) -> None:
        """A consolidator loads the table and begins to write what comes next."""
        handle, blocks = self.lake.load(), self.disk.blocks
        self.handle = handle, blocks, min(handle.offset + count, len(blocks))

    def consolidate(self) -> None:
        """It commits; then, in a transaction of the journal, `archived` follows the table."""
        if self.handle is None:
            return
        self.lake.commit(*self.handle, self.reached)
        self.handle = None
        self.changes += 1
        self.follow()

    def follow(self) -> None:
        """`archived` follows what the lake holds."""
        disk = self.open
        offset = min(self.lake.offset, len(self.disk.blocks))
        for header, *_ in self.disk.blocks[disk.archived : offset]:
            disk.cursor = archive(disk.cursor, header.epoch, header.seq)
        self.is_moved |= offset > disk.archived
        disk.archived = max(disk.archived, offset)
        link = self.sessions.get(disk.cursor.session)
        if link is not None:
            self.unsaid.append((link, ack(disk.cursor)))

    def forgive(self) -> None:
        """An operator has stopped the copy."""
        self.open.cursor = forgive(self.open.cursor)
        self.is_moved = True
        self.reached["forgiven"] += 1

    def crash(self) -> None:
        self.open = self.disk.copy()
        self.is_moved = False
        self.unsaid.clear()
        self.sessions.clear()

    def backup(self) -> tuple[Disk, Lake]:
        return self.disk.copy(), self.lake.copy()

    def restore(self, disk: Disk, lake: Lake, *, with_lake: bool) -> None:
        """The journal as it once was, under a new generation; the lake too, or it lives on."""
        generation = self.disk.generation + 1
        self.lake = lake.copy() if with_lake else self.lake
        floors = [] if with_lake else self.lake.floors()
        self.disk = disk.copy()
        self.disk.generation = self.lake.generation = generation
        self.disk.cursor = reborn(self.disk.cursor, floors, generation)
        self.lake.offset = min(self.lake.offset, len(self.disk.blocks))
        self.disk.archived = self.lake.offset
        self.changes += 1
        self.crash()
