"""Random lives of a buffer against a list: every reading by value, in exactly one place."""

import random
from typing import Any

import pytest

from edge.store.store import Store
from protos.block import Block, ChunkRun, read_block

Values = list[tuple[Any, ...]]


def read_values(block: Block, values_of: Any) -> Values:
    header, digest, batch = read_block(block.data)
    assert (header, digest) == (block.header, block.hash)
    found: Values = values_of(batch)
    return found


class Life:
    """The buffer under test beside what it must hold; ``cloud`` is what left it for good."""

    def __init__(self, world: Any, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.store: Store = world.open()
        self.epoch = 0
        self.blocks: list[Block] = []  # of this epoch, by seq from 1
        self.stored = self.archived = 0
        self.unsealed: list[tuple[ChunkRun, Values]] = []  # oldest first
        self.shelved: list[tuple[Block, list[tuple[ChunkRun, Values]]]] = []
        self.cloud: Values = []
        self.all: Values = []
        self.marks = b""

    def commit(self) -> None:
        waiting = []
        for _ in range(self.chance.randint(1, 5)):
            marks = self.chance.randbytes(16 * self.chance.randint(0, 4))
            chunk = self.world.chunk(
                self.chance.randint(1, 40), new_series=self.chance.randint(0, 1), marks=marks
            )
            self.marks += marks
            waiting.append((self.store.commit(chunk), self.world.values_of(chunk.batch)))
        for future, values in waiting:
            self.unsealed.append((future.result(), values))
            self.all += values

    def seal(self) -> None:
        target = self.chance.choice([500, 2000, 65536])
        block = self.store.seal_next(bytes_target=target, mono_us=5, wall_us=6).result()
        if not self.epoch or not self.unsealed:
            assert block is None
            return
        assert block is not None
        head = self.blocks[-1].hash if self.blocks else bytes(32)
        assert (block.header.epoch, block.header.seq) == (self.epoch, len(self.blocks) + 1)
        assert block.header.prev_hash == head
        count = sum(run.count for run in block.header.chunks)
        taken, self.unsealed = self.unsealed[:count], self.unsealed[count:]
        ids = {(run.prefix, run.first + n) for run in block.header.chunks for n in range(run.count)}
        assert ids == {(run.prefix, run.first) for run, _ in taken}, "the oldest chunks"
        values = [value for _, part in taken for value in part]
        assert sorted(read_values(block, self.world.values_of), key=repr) == sorted(
            values, key=repr
        )
        self.blocks.append(block)
        self.shelved.append((block, taken))

    def ack(self) -> None:
        self.stored = self.chance.randint(self.stored, len(self.blocks))
        self.archived = self.chance.randint(self.archived, self.stored)
        self.store.mark(self.stored, self.archived).result()

    def new_epoch(self) -> None:
        self.store.mark(self.stored, self.archived).result()
        kept = self.shelved[: self.stored]
        freed = [chunk for _, chunks in self.shelved[self.stored :] for chunk in chunks]
        self.cloud += [v for _, chunks in kept for _, values in chunks for v in values]
        self.unsealed = freed + self.unsealed
        rewound = self.unsealed[: self.chance.randint(0, 3)]
        self.unsealed = self.unsealed[len(rewound) :]
        self.cloud += [value for _, values in rewound for value in values]
        self.epoch += self.chance.randint(1, 3)
        unknown = ChunkRun(bytes(12), 0, 5)
        state = self.store.begin_epoch(self.epoch, [unknown, *(r for r, _ in rewound)]).result()
        assert (state.epoch, state.head, state.stored) == (self.epoch, 0, 0)
        self.blocks, self.shelved, self.stored, self.archived = [], [], 0, 0

    def look(self) -> None:
        first = self.chance.randint(1, len(self.blocks) + 1)
        found = self.store.blocks_from(first, self.chance.choice([1, 3000, 1 << 40])).result()
        start = max(first, self.archived + 1)
        expected = self.blocks[start - 1 : start - 1 + len(found)]
        assert [b.data for b in found] == [b.data for b in expected]
        assert found or start > len(self.blocks)
        state = self.store.sync_state().result()
        assert (state.epoch, state.head) == (self.epoch, len(self.blocks))
        assert state.unsealed_rows == sum(len(values) for _, values in self.unsealed)
        assert state.oldest_kept == self.archived + 1
        assert state.series_high == len(self.world.entries)

    def reopen(self) -> None:
        self.store.close()
        self.store = self.world.open()
        loaded = self.store.load()
        assert list(loaded.entries) == self.world.entries
        assert loaded.marks == self.marks
        if self.epoch:  # a stored mark that was not written is said again by the cloud
            self.store.mark(self.stored, self.archived).result()

    def finish(self) -> None:
        self.reopen()
        left = [v for _, chunks in self.shelved for _, values in chunks for v in values]
        waiting = [value for _, values in self.unsealed for value in values]
        assert sorted(self.cloud + left + waiting, key=repr) == sorted(self.all, key=repr)
        if not self.epoch:
            self.new_epoch()
        while self.unsealed:
            self.seal()
        self.look()


@pytest.mark.parametrize("seed", range(8))
def test_every_reading_is_in_exactly_one_place_through_any_life(world: Any, seed: int) -> None:
    chance = random.Random(seed)
    life = Life(world, chance)
    steps = [life.commit, life.seal, life.ack, life.look, life.new_epoch, life.reopen]
    for _ in range(120):
        chance.choices(steps, weights=[6, 8, 4, 4, 1, 1])[0]()
    life.finish()
