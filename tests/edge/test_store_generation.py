"""A cloud that lost its journal, and the real store: what older epochs stored is free again."""

from typing import Any

from protos.block import ChunkRun


def test_an_older_epoch_is_free_again_when_the_cloud_no_longer_holds_it(world: Any) -> None:
    store = world.open()
    wanted = []
    for epoch in (1, 2):
        for _ in range(2):
            chunk = world.chunk()
            wanted += world.values_of(chunk.batch)
            store.commit(chunk).result()
        if epoch > 1:
            store.begin_epoch(epoch, ()).result()
        assert world.drain(store)
        store.mark(store.sync_state().result().head, 0, 7).result()
    state = store.begin_epoch(9, (), (0, 0), 8).result()
    assert (state.epoch, state.head, state.generation) == (9, 0, 8)
    assert store.stats().result().blocks == 0
    assert sorted(world.drained(store)) == sorted(wanted)


def test_what_the_restored_journal_still_holds_is_not_sent_again(world: Any) -> None:
    store = world.open()
    store.commit(world.chunk()).result()
    world.drain(store)
    store.mark(1, 0, 7).result()
    store.begin_epoch(2, ()).result()
    later = world.chunk()
    store.commit(later).result()
    world.drain(store)
    store.mark(1, 0, 7).result()
    store.begin_epoch(9, (), (1, 1), 8).result()
    assert sorted(world.drained(store)) == sorted(world.values_of(later.batch))


def test_chunks_that_the_cloud_names_are_dropped_from_older_epochs_too(world: Any) -> None:
    store = world.open()
    run = store.commit(world.chunk()).result()
    world.drain(store)
    store.mark(1, 0, 7).result()
    store.begin_epoch(2, ()).result()
    later = world.chunk()
    store.commit(later).result()
    store.begin_epoch(9, (run,), (0, 0), 8).result()
    assert sorted(world.drained(store)) == sorted(world.values_of(later.batch))


def test_a_run_the_cloud_names_drops_no_chunk_of_a_later_opening(world: Any) -> None:
    """Numbers of chunks that are gone are used again after a restart, under another prefix."""
    store = world.open()
    runs = [store.commit(world.chunk()).result() for _ in range(3)]
    world.drain(store)
    head = store.sync_state().result().head
    store.mark(head, head, 7).result()
    store.close()
    again = world.open()
    later = world.chunk()
    kept = again.commit(later).result()
    assert kept.prefix != runs[0].prefix
    named = ChunkRun(runs[0].prefix, 0, 5)
    again.begin_epoch(9, (named,), (0, 0), 8).result()
    assert sorted(world.drained(again)) == sorted(world.values_of(later.batch))
