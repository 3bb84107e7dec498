"""The real rules of both sides, joined by a lossy link, over seeded worlds; and proof of teeth.

A rule that is taken away from the cloud must be missed within the same seeds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cloud.journal_cursor import Decision
from protos import sync_pb2 as pb
from protos.block import ChunkRun
from tests.sim.aggregator import Cloud, Disk
from tests.sim.link import Link
from tests.sim.world import FAULTS, World

SEEDS = 240
STEPS = 600
GROUPS = 6


def live(seed: int, cloud: Cloud | None = None) -> World:
    world = World(seed, cloud)
    try:
        world.run(STEPS)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    return world


def live_all(kind: type[Cloud], first: int) -> None:
    for seed in range(first, SEEDS):
        live(seed, kind())


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_lost_doubled_or_mixed_in_any_world(group: int) -> None:
    worlds = [live(seed) for seed in range(group, SEEDS, GROUPS)]
    faults = sum((world.faults for world in worlds), Counter[str]())
    assert faults.keys() >= {*FAULTS, "lost", "doubled", "reordered"}
    alarms = Counter(alarm for world in worlds for alarm in world.cloud.alarms)
    assert alarms.keys() >= {"REWIND", "CLONE"}


def test_a_seed_makes_the_same_world_again() -> None:
    first, second = live(7), live(7)
    assert first.cloud.disk.blocks == second.cloud.disk.blocks
    assert first.faults == second.faults


class AcksTooEarly(Cloud):
    """Acks before the fsync."""

    def say(self, link: Link, decision: Decision) -> None:
        for reply in decision.replies:
            link.tell(reply)


class NeverFences(Cloud):
    """Takes blocks of any session."""

    def judge(self, block: pb.BlockData) -> Decision:
        block.session = self.open.cursor.session
        return super().judge(block)


class TrustsAnyPast(Cloud):
    """Looks at seqs and at no hash."""

    def greet(self, hello: pb.Hello) -> Decision:
        if (hello.epoch, hello.head) == (self.open.cursor.epoch, self.open.cursor.stored):
            self.open.cursor = replace(self.open.cursor, stored_hash=hello.head_hash)
        return super().greet(hello)

    def judge(self, block: pb.BlockData) -> Decision:
        header = self.read(block.data)[0]
        self.open.cursor = replace(self.open.cursor, stored_hash=header.prev_hash)
        return super().judge(block)


class ForgetfulDisk(Disk):
    def chunks_above(self, epoch: int, seq: int) -> Sequence[ChunkRun]:
        return []


class ForgetsChunks(Cloud):
    """Grants an epoch without naming what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.disk, self.open = ForgetfulDisk(), ForgetfulDisk()


class ForgetsItsCursor(Cloud):
    """Writes block and cursor in two transactions: a crash between them loses the second."""

    def crash(self) -> None:
        super().crash()
        stored = max(0, self.open.cursor.stored - 1)
        self.open.cursor = replace(self.open.cursor, stored=stored)


@pytest.mark.parametrize(
    ("broken", "first"),
    [
        (AcksTooEarly, 0),
        (NeverFences, 0),
        (TrustsAnyPast, 0),
        (ForgetsChunks, 0),
        (ForgetsItsCursor, 0),
    ],
)
def test_a_cloud_without_one_of_its_rules_is_caught(broken: type[Cloud], first: int) -> None:
    with pytest.raises(AssertionError, match="seed"):
        live_all(broken, first)
