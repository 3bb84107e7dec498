"""A gateway whose card is real: the store's own logic, over a disk that cuts, tears and fills.

Its readings are numbered through all machines of a world, so that each is told by its value.
"""

import base64
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from random import Random

import apsw
import numpy as np

from edge.chunk import Chunk as Taken
from edge.errors import StorageError
from edge.store.limits import BlockUnreadable, BufferFull, StoreLimits
from edge.sync_effects import BeginEpoch, Seal
from protos import sync_pb2 as pb
from protos.block import _HEADER_AT, Block, _digest, read_block
from protos.records import Array, Batch, concat, numbers, scores, texts
from protos.series import SeriesEntry, SeriesKey, make_entry
from tests.sim.card import Unit, chunks_of
from tests.sim.card_on_disk import CardOnDisk, Image, Picture, units_of
from tests.sim.disks import Disks
from tests.sim.gateway import Copy, Gateway

READINGS_MAX = 4
TIME_0_US = 1_700_000_000_000_000
YEAR_US = 365 * 86_400_000_000
FAT_BYTES = 2_600
SPOILT_SHARE = 0.02


@dataclass(frozen=True)
class Doing:
    """A transaction that may write a note: the card before it, and what an epoch keeps."""

    before: Picture
    kept: tuple[int, int] | None = None


class GatewayOnDisk(Gateway):
    """As the other, but the effects are carried out by the product. ``known``: units by hash."""

    buffer: CardOnDisk  # type: ignore[assignment]

    def __init__(
        self,
        chance: Random,
        reached: Counter[str],
        disks: Disks,
        limits: StoreLimits,
        counter: Iterator[int],
        known: dict[bytes, tuple[Unit, ...]],
        image: Image | None = None,
    ) -> None:
        self.disks, self.limits, self.counter, self.known = disks, limits, counter, known
        self.is_dead = False
        self._doing: Doing | None = None
        card = CardOnDisk.new(disks, limits, bytes(16), image)
        super().__init__(chance, reached, card)  # type: ignore[arg-type]
        card.buffer.blocks._boot_id = card.boot_id = self.boot_id

    def open(self) -> None:
        """The store draws its ids by itself."""

    def take_in(self, *, names_series: bool) -> Collection[Unit]:
        taken, units = self._taken(names_series or not self.buffer.state().series_high)
        self._doing = Doing(self.buffer.picture())
        try:
            self.buffer.keep(taken)
        except BufferFull:
            self.reached["disk full" if self.buffer.drive.is_full else "refused: full"] += 1
            self._doing = None
            return ()
        except (StorageError, apsw.Error) as error:
            self._failed(error)
            return ()
        self.expected.update(units)
        self._look_after()
        if self.session is not None:
            self.todo.extend(self.session.wake())
        return units

    def _taken(self, names_series: bool) -> tuple[Taken, tuple[Unit, ...]]:
        """A chunk whose every reading is new, and what it is followed by."""
        chance, high = self.chance, self.buffer.state().series_high
        entries: tuple[SeriesEntry, ...] = ()
        if names_series:
            key = SeriesKey(f"pump {high % 3}", f"metric {high} {chance.random()}")
            entries = (make_entry(high + 1, 1 + high % 3, key, chance.randbytes(16)),)
        count = chance.randint(1, READINGS_MAX)
        values = [next(self.counter) for _ in range(count)]
        series = np.array([chance.randint(1, high + len(entries)) for _ in values], "u4")
        start_us = TIME_0_US + self.wall_us // YEAR_US * YEAR_US
        ts = start_us + 1_000_000 * np.array(values, "i8")
        parts = [numbers(series, ts, np.array(values, "f8"), 0, ts)]
        if chance.random() < 0.3:
            parts.append(self._text(series[:1], ts[:1]))
        if chance.random() < 0.1:
            one = (series[:1], ts[:1], np.array(values[:1], "f8"))
            parts.append(scores(*one, [9.0], [1.0], ["model 1"]))
        batch = concat(parts)
        return Taken(batch, entries), units_of(batch, (b"", 0))

    def _text(self, series: Array, ts: Array) -> Batch:
        fat = base64.b85encode(self.chance.randbytes(FAT_BYTES)).decode()
        return texts(series, ts, [f"{next(self.counter)} {fat}"], 0, ts)

    def _look_after(self) -> None:
        """What went is told by a note, to the last record; a note's older form is gone."""
        doing, self._doing = self._doing, None
        if doing is None:
            return
        before, after = doing.before, self.buffer.picture()
        if doing.kept is None:
            self.released |= before.sealed - after.sealed
        new = [note for note in after.notes if note not in before.notes]
        if not new:
            return  # whether anything went untold, the oracle will say
        assert len(new) == 1, "one transaction wrote two notes"
        (note,) = new
        old = next((one for one in before.notes if one[:2] == note[:2]), None)
        told = note[2] - (old[2] if old else 0)
        gone = [held for no, held in before.loose.items() if no not in after.chunks]
        lost: set[Unit] = set()
        if doing.kept is None:
            lost.update(unit for held in gone for unit in held.units)
        due = sum(held.records for held in gone)
        due = due if doing.kept is None else before.released(doing.kept)
        assert told == due, f"a note tells of {told} records where {due} went"
        self.gaps[note] = lost | (self.gaps.get(old, set()) if old else set())
        self.expected.add(note)
        if old:
            self.expected.discard(old)
        self.reached["evicted" if doing.kept is None else "told of what a lost cloud had"] += told

    def act(self) -> None:
        effect = self.todo[0] if self.todo else None
        if isinstance(effect, BeginEpoch):
            self._doing = Doing(self.buffer.picture(), effect.kept)
        try:
            super().act()
            self._look_after()
        except BlockUnreadable as error:
            self.reached["unreadable"] += 1
            if self.session is not None:
                self.todo.extend(self.session.unreadable(str(error)))
        except BufferFull:
            self._doing = None
            self.reached["session ended: full disk"] += 1
            self.disconnect()
        except (StorageError, apsw.Error) as error:
            self._failed(error)

    def tend(self) -> None:
        """What the store does when it has nothing else to do."""
        try:
            self.buffer.tend()
        except (StorageError, apsw.Error) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        assert self.buffer.drive.is_cut, f"the store has failed: {error}"
        self.is_dead = True

    def seal(self, effect: Seal) -> Block | None:
        small = self.chance.choice((1, 100, 400, effect.bytes_target))
        target = min(effect.bytes_target, small)
        return self.buffer.seal(target, 1, self.wall_us, newest_first=effect.newest_first)

    def say(self, message: pb.GatewayMessage) -> None:
        if message.WhichOneof("body") == "block" and self.chance.random() < SPOILT_SHARE:
            block = message.block
            header, found, batch = read_block(block.data)
            self.known[found] = units_of(batch, chunks_of(header)[0])
            spoilt = pb.BlockData(session=block.session, epoch=block.epoch, seq=block.seq)
            spoilt.data = spoil(block.data)
            message = pb.GatewayMessage(block=spoilt)
        super().say(message)

    def crash(self, *, power: bool) -> None:
        """The process dies, and with the power all that was not synced, or a part of it."""
        self.disconnect()
        if power:
            self.buffer.drive.cut()
            self.boot_id = self.chance.randbytes(16)
        self.reached["torn"] += self.buffer.drive.torn
        self.buffer.start_again(self.boot_id)
        self.is_dead = False
        self._look_after()

    def step_back(self, buffer: Image, expected: set[Unit]) -> None:  # type: ignore[override]
        self.disconnect()
        self.boot_id = self.chance.randbytes(16)
        self.buffer.throw_away()
        changes = self.buffer.changes
        self.buffer = CardOnDisk.new(self.disks, self.limits, self.boot_id, buffer)
        self.buffer.changes = changes + 1
        self.expected, self.unsynced, self.is_dead = set(expected), None, False
        self._doing = None

    def clone(self) -> "GatewayOnDisk":
        image, known = self.buffer.copy(), self.known
        twin = GatewayOnDisk(
            self.chance, self.reached, self.disks, self.limits, self.counter, known, image
        )
        twin.expected, twin.gaps = set(self.expected), dict(self.gaps)
        self.disconnect()
        self.buffer.start_again(self.boot_id)
        return twin

    def keep_copy(self) -> Copy:
        return self.buffer.copy(), set(self.expected)  # type: ignore[return-value]


def spoil(data: bytes) -> bytes:
    """A bit of the rows turns over in memory before the block's digest is made of them."""
    body = data[:-1] + bytes((data[-1] ^ 1,))
    head, rest = body[: _HEADER_AT - 32], body[_HEADER_AT:]
    return head + _digest(head, rest) + rest
