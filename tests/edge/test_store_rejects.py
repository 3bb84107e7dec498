from typing import Any

from edge.chunk import Chunk, Reject
from protos.records import Batch

EMPTY = Batch({})


def test_rejects_that_became_readings_leave_for_good_and_the_bound_still_holds(world: Any) -> None:
    store = world.open(rejects_max=4)
    rejects = [Reject(n, f"plant/{n}", b"{", "torn") for n in range(6)]
    for reject in rejects[:4]:
        store.commit(Chunk(EMPTY, rejects=(reject,))).result()
    kept = store.rejects_kept(10).result()
    assert [(no, one.arrival_us) for no, one in kept] == [(4, 3), (3, 2), (2, 1), (1, 0)]
    store.forget_rejects([4, 2]).result()
    store.commit(Chunk(EMPTY, rejects=tuple(rejects[4:]))).result()
    left = [(no, one.arrival_us) for no, one in store.rejects_kept(10).result()]
    assert left == [(6, 5), (5, 4), (3, 2), (1, 0)], "no number is given twice"
    store.close()
    later = world.open(rejects_max=4)
    later.commit(Chunk(EMPTY, rejects=(rejects[0],))).result()
    assert [no for no, _ in later.rejects_kept(10).result()] == [7, 6, 5, 3]
