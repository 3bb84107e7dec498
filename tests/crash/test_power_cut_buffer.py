"""The power goes below the edge's buffer: what was acknowledged is there when it is back."""

import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edge.errors import StorageError
from edge.keys import find_key, make_key_file
from edge.store.limits import StoreLimits
from edge.store.store import Store
from protos.block import read_block
from tests.crash.power import Power
from tests.edge.conftest import BufferWorld

SEEDS = 60
# So small a log that writing it back is among what is interrupted.
LIMITS = {"bytes_max": 4 << 20}


@pytest.fixture(scope="session")
def young(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key and a buffer that was made while the power held."""
    folder = tmp_path_factory.mktemp("young")
    make_key_file(folder / "buffer.key")
    (folder / "home").mkdir()
    world = BufferWorld(folder / "home", random.Random(0), find_key(folder / "buffer.key", {}))
    world.open(**LIMITS).close()
    return folder


def work(world: BufferWorld, chance: random.Random, synchronous: int) -> set[Any]:
    """Commit, seal and let go until the power does; values acknowledged and not yet archived."""
    held: set[Any] = set()
    with suppress(StorageError):
        store = world.open(**LIMITS)
        world.stores.clear()
        if synchronous != 2:
            file = store._buffer._file
            store._call(lambda: file._db.pragma("synchronous", synchronous)).result()
        store.begin_epoch(1, ()).result()
        for _ in range(2000):
            chunk = world.chunk(chance.choice([2, 20, 200]), marks=chance.randbytes(16))
            store.commit(chunk).result()
            held |= set(world.values_of(chunk.batch))
            if chance.random() < 0.1:
                held -= archive(world, store)
    return held


def archive(world: BufferWorld, store: Store) -> set[Any]:
    """Seal a block, and have all blocks so far archived; the values in them."""
    head = store.sync_state().result().archived
    store.seal_next(bytes_target=65536, mono_us=1, wall_us=2).result()
    blocks = store.blocks_from(head + 1, 1 << 40).result()
    gone = {value for block in blocks for value in world.values_of(read_block(block.data)[2])}
    with suppress(StorageError):  # the cloud has them now, whether or not we come to know of it
        store.mark(head + len(blocks), head + len(blocks)).result()
    return gone


def found_after(world: BufferWorld, card: Path) -> list[Any]:
    """The values on the card, opened by the product as after any start."""
    again = BufferWorld(card, random.Random(1), world.keys)
    store = again.open(**LIMITS)
    try:
        return again.drained(store)
    finally:
        store.close()


def survivors(
    young: Path, tmp_path: Path, seed: int, *, synchronous: int = 2, lying: bool = False
) -> tuple[set[Any], list[Any]]:
    """One life up to a power cut: what was acknowledged, and what is there after it."""
    chance = random.Random(seed)
    shutil.copytree(young / "home", tmp_path / f"life-{seed}")
    keys = find_key(young / "buffer.key", {})
    world = BufferWorld(tmp_path / f"life-{seed}", random.Random(seed), keys)
    power = Power(world.folder, seed, cut_at=chance.randint(20, 700), lying=lying)
    with power.on():
        acknowledged = work(world, chance, synchronous)
    assert power.is_cut, "the life ended before the power did"
    return acknowledged, found_after(world, power.card(tmp_path / f"card-{seed}"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_acknowledged_survives_a_power_cut_once(
    young: Path, tmp_path: Path, seed: int
) -> None:
    acknowledged, found = survivors(young, tmp_path, seed)
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))


def test_a_buffer_that_does_not_sync_each_commit_is_caught_losing(
    young: Path, tmp_path: Path
) -> None:
    lost = 0
    for seed in range(12):
        acknowledged, found = survivors(young, tmp_path, seed, synchronous=1)
        lost += len(acknowledged - set(found))
    assert lost > 0


def test_a_lying_disk_costs_what_no_software_can_save_but_opens_or_is_refused(
    young: Path, tmp_path: Path
) -> None:
    """The promise ends here: `selftest` and the epochs' rewind find such a disk, not this file."""
    lost = 0
    refusals: list[StorageError] = []
    for seed in range(30):
        try:
            acknowledged, found = survivors(young, tmp_path, seed, lying=True)
        except StorageError as error:
            refusals.append(error)
        else:
            lost += len(acknowledged - set(found))
            assert len(found) == len(set(found))
    assert all(refusal.hint for refusal in refusals)
    assert lost > 0


def test_the_limits_of_these_tests_let_the_log_be_written_back() -> None:
    assert StoreLimits(**LIMITS).checkpoint_pages <= 128
