"""However much waits, sealing, sending and letting go of a block costs the database the same."""

from typing import Any

from edge.store.store import Store
from tests.edge.conftest import BufferWorld

STEPS_A_CALL = 20
"""SQLite's virtual machine calls back after so many instructions: its cost, whatever the clock."""
BLOCKS = 8


class Counted:
    """Counts the instructions that a store's own connection runs."""

    def __init__(self, store: Store) -> None:
        self.calls = 0
        database = store._buffer._file._db
        store._call(lambda: database.set_progress_handler(self._called, STEPS_A_CALL)).result()

    def _called(self) -> bool:
        self.calls += 1
        return False

    def since(self, before: int) -> int:
        return (self.calls - before) * STEPS_A_CALL


def cost_of_a_block(world: BufferWorld, waiting: int) -> float:
    """Instructions a block, from sealing to archived, with so many chunks waiting behind."""
    store = world.open()
    kept = [store.commit(world.chunk(6)) for _ in range(waiting)]
    for one in kept:
        one.result()
    store.begin_epoch(1, ()).result()
    counted = Counted(store)
    costs = []
    for seq in range(1, BLOCKS + 1):
        before = counted.calls
        assert store.seal_next(bytes_target=400, mono_us=1, wall_us=2).result()
        assert store.blocks_from(seq, 1).result()
        store.mark(seq, seq, 1).result()
        store.sync_state().result()
        costs.append(counted.since(before))
    assert store.sync_state().result().unsealed_rows > 0, "something still waits"
    store.close()
    return sorted(costs)[BLOCKS // 2]


def test_a_block_costs_the_same_however_much_waits(world: BufferWorld, tmp_path: Any) -> None:
    small = BufferWorld(tmp_path / "small", world.random, world.keys)
    large = BufferWorld(tmp_path / "large", world.random, world.keys)
    for one in (small, large):
        one.folder.mkdir()
    few, many = cost_of_a_block(small, 120), cost_of_a_block(large, 1200)
    assert few > 100, "it is counted at all"
    assert many <= 1.3 * few, (few, many)
