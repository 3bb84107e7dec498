"""Two machines from one copied card before one cloud: real sessions, real buffers, a real journal.

Only the line and the clock are stood in for. Every reading's chunk is known by its id, and who
acknowledged it; what was unsealed at the copying belongs to both.
"""

import itertools
import random
import shutil
from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path

from cloud.journal.cursor import Cursor, ack
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from edge.keys import find_key, make_key_file
from edge.store.limits import StoreLimits
from edge.store.store import Store
from edge.sync import Session
from edge.sync_effects import BeginEpoch, Close, Effect, LoadBlocks, LoadEntries, Mark, Seal, Send
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, read_header
from protos.codec.header import ChunkRun, Header
from protos.series import decode_entry
from tests.edge.conftest import MIB, BufferWorld

WAIT_S = 60
WINDOW_BYTES = 200_000
NAME = "attic"
TURN_STEPS = 400
Chunk = tuple[bytes, int]


def chunks_of(runs: tuple[ChunkRun, ...]) -> list[Chunk]:
    return [(run.prefix, n) for run in runs for n in range(run.first, run.first + run.count)]


@dataclass
class Line:
    """One connection: what is said on it and not yet heard; `is_over` once the cloud ended it."""

    up: deque[pb.GatewayMessage] = field(default_factory=deque)
    down: deque[pb.CloudMessage] = field(default_factory=deque)
    is_over: bool = False


class Machine:
    """A gateway's process over its card. ``acknowledged``: chunks that it answered for."""

    def __init__(self, folder: Path, seed: int, name: str = NAME) -> None:
        self.folder = folder
        self.name = name
        self.chance = random.Random(seed)
        self.boot_id = self.chance.randbytes(16)
        key = folder / "buffer.key"
        if not key.exists():
            make_key_file(key)
        self.sensors = BufferWorld(folder, self.chance, find_key(key, {}), NAME)
        self.acknowledged: set[Chunk] = set()
        self.told: list[Close] = []
        self.mono_us = 1
        self.line: Line | None = None
        self.session: Session | None = None
        self.todo: deque[Effect] = deque()
        self.store = self.open()

    def open(self) -> Store:
        return Store.open(
            self.sensors.path,
            gateway=self.name,
            keys=self.sensors.keys,
            limits=StoreLimits(bytes_max=64 * MIB),
            boot_id=self.boot_id,
            begun_as=NAME,
        )

    def commit(self) -> None:
        """Sensors speak; the chunk is acknowledged."""
        run = self.store.commit(self.sensors.chunk(5)).result(WAIT_S)
        self.acknowledged |= set(chunks_of((run,)))
        if self.session is not None:
            self.todo.extend(self.session.wake())

    def connect(self) -> None:
        self.mono_us += 1000
        self.line, self.session = Line(), Session(self.name, self.boot_id, "test")
        state = self.store.sync_state().result(WAIT_S)
        self.todo = deque(self.session.greet(state, pb.Status(), self.mono_us))

    def cut(self) -> None:
        self.line = self.session = None
        self.todo.clear()

    def restart(self, *, power: bool) -> None:
        self.cut()
        self.store.close()
        if power:
            self.boot_id = self.chance.randbytes(16)
        self.store = self.open()

    def hear(self) -> None:
        if self.line is None or self.session is None:
            return
        if self.line.down:
            self.todo.extend(self.session.received(self.line.down.popleft()))
        elif self.line.is_over:
            self.cut()

    def act(self) -> None:
        """Carry out the oldest effect."""
        if not self.todo or self.session is None or self.line is None:
            return
        effect, session, store = self.todo.popleft(), self.session, self.store
        answer: list[Effect] = []
        match effect:
            case Send(message):
                self.line.up.append(message)
            case Seal(bytes_target, newest_first):
                sealed = store.seal_next(
                    bytes_target=bytes_target, mono_us=1, wall_us=2, newest_first=newest_first
                )
                answer = session.sealed(sealed.result(WAIT_S))
            case LoadBlocks(from_seq, bytes_max):
                answer = session.blocks_loaded(
                    store.blocks_from(from_seq, bytes_max).result(WAIT_S)
                )
            case LoadEntries(first, limit):
                answer = session.entries_loaded(store.entries_from(first, limit).result(WAIT_S))
            case Mark(stored, archived, generation):
                store.mark(stored, archived, generation).result(WAIT_S)
            case BeginEpoch(epoch, dropped, kept, generation):
                begun = store.begin_epoch(epoch, dropped, kept, generation)
                answer = session.epoch_begun(begun.result(WAIT_S))
            case Close():
                self.told.append(effect)
                self.cut()
                return
        self.todo.extend(answer)

    @property
    def is_drained(self) -> bool:
        return self.session is not None and not self.todo and self.session.drained


class World:
    """One cloud, and one machine; after `copy_card` two."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clock = itertools.count(1_700_000_000_000_000)
        self.journal = SqliteJournal.open(folder / "journal", now_us=lambda: next(clock))
        (folder / "original").mkdir()
        self.machines = [Machine(folder / "original", 1)]
        self.shared: set[Chunk] = set()
        self.read = 0
        self.ends: dict[tuple[str, int], tuple[int, bytes]] = {}
        self.owner: dict[tuple[str, int], int] = {}
        self.stored: defaultdict[str, set[Chunk]] = defaultdict(set)

    def copy_card(self) -> None:
        original = self.machines[0]
        original.cut()
        original.store.close()
        shutil.copytree(original.folder, self.folder / "copy")
        original.store = original.open()
        copy = Machine(self.folder / "copy", 2)
        copy.sensors.entries = list(original.sensors.entries)
        copy.sensors.told = original.sensors.told + 1_000_000
        self.shared = set(original.acknowledged)
        self.check()
        self.owner.clear()  # what was stored before is of neither
        copy.acknowledged = set(original.acknowledged)
        self.machines.append(copy)

    def step(self, what: str, number: int) -> None:
        machine = self.machines[number % len(self.machines)]
        match what:
            case "commit":
                machine.commit()
            case "connect" if machine.line is None:
                machine.connect()
            case "work":
                self.work(machine, 1)
            case "run":
                self.work(machine, 12)
            case "hear":
                machine.hear()
            case "serve":
                self.serve(machine)
            case "cut":
                machine.cut()
            case "restart":
                machine.restart(power=False)
            case "power":
                machine.restart(power=True)
            case "archive":
                self.journal.mark_archived(self.journal.head()).result(WAIT_S)
        self.check()

    def work(self, machine: Machine, times: int) -> None:
        for _ in range(times):
            machine.act()
            self.serve(machine)
            machine.hear()

    def serve(self, machine: Machine) -> None:
        """The cloud takes one message of the machine's line and answers it."""
        line, name, journal = machine.line, machine.name, self.journal
        if line is None or not line.up or line.is_over:
            return
        message = line.up.popleft()
        match message.WhichOneof("body"):
            case "hello":
                asked = journal.hello(name, message.hello, WINDOW_BYTES)
            case "block":
                block = message.block
                asked = journal.append(name, block.session, block.epoch, block.seq, block.data)
            case "declare":
                told = message.declare
                entries = [decode_entry(entry) for entry in told.entries]
                asked = journal.declare(name, told.session, told.epoch, told.first, entries)
            case _:
                asked = journal.request_epoch(name, message.epoch_request)
        decision = asked.result(WAIT_S)
        line.down.extend(decision.replies)
        line.is_over |= decision.ends

    def check(self) -> None:
        """What became durable since the last look: one machine an epoch, each chunk once a name."""
        for entry in self.journal.read(self.read, 1 << 30):
            self.read = entry.offset
            self._check_block(*read_header(entry.data))

    def _check_block(self, header: Header, found: bytes) -> None:
        where = header.gateway, header.epoch
        past = self.ends.get(where, (0, GENESIS_HASH))
        assert (header.seq - 1, header.prev_hash) == past, "the stored chain has a hole"
        self.ends[where] = header.seq, found
        held = self.stored[header.gateway]
        for chunk in chunks_of(header.chunks):
            assert chunk not in held, "a chunk is stored twice under one name"
            held.add(chunk)
            whose = [n for n, one in enumerate(self.machines) if chunk in one.acknowledged]
            if chunk not in self.shared and whose:
                mixed = self.owner.setdefault(where, whose[0]) != whose[0]
                assert not mixed, "an epoch holds blocks of both machines"

    def turn(self, machine: Machine) -> None:
        """The machine runs alone until it is drained, or is told why not."""
        before = len(machine.told)
        for _ in range(TURN_STEPS):
            if machine.line is None:
                if len(machine.told) > before:
                    return
                machine.connect()
            self.work(machine, 4)
            self.check()
            self.journal.mark_archived(self.journal.head()).result(WAIT_S)
            for cursor in self.journal.cursors():
                self.tell_archived(machine, cursor)
            if machine.is_drained:
                return
        raise AssertionError(f"neither drained nor told: {machine.told[-2:]}")

    def tell_archived(self, machine: Machine, cursor: Cursor) -> None:
        session, line = machine.session, machine.line
        if session is None or line is None or cursor.gateway != machine.name:
            return
        if cursor.session == session.number:
            line.down.append(ack(cursor))

    def close(self) -> None:
        for machine in self.machines:
            machine.store.close()
        self.journal.close()
