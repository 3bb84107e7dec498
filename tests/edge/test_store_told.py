"""What tells of lost readings outlives the readings' own blocks: it goes when it is archived."""

from collections import Counter
from typing import Any

from protos.block import read_block
from protos.records import GapReason
from tests.edge.test_store_evict import DROP, gap_rows, noise


def test_a_note_of_evictions_is_told_again_to_a_cloud_that_lost_it(world: Any) -> None:
    store = world.open(**DROP)
    while not store.stats().result().counters.get("evicted"):
        store.commit(noise(world)).result()
    evicted = store.stats().result().counters["evicted"]
    stored = world.drain(store)
    assert gap_rows(stored[:1])
    store.mark(len(stored), 0, 7).result()
    while store.stats().result().counters.get("released", 0) < 100:
        store.commit(noise(world)).result()
    store.begin_epoch(9, (), (0, 0), 8).result()
    blocks = world.drain(store)
    told: Counter[GapReason] = Counter()
    for _, _, count, reason in gap_rows(blocks):
        told[reason] += count
    found = {v for block in blocks for v in world.values_of(read_block(block.data)[2])}
    before = {v for block in stored for v in world.values_of(read_block(block.data)[2])}
    assert told[GapReason.EVICTED] == evicted
    assert told[GapReason.DELETED_BEFORE_LOSS] == len(before - found)
