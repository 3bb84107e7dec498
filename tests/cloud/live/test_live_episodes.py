"""Episodes over the feed: each word of a gateway, in the order in which it was told."""

from pathlib import Path

import numpy as np

from cloud.live.feed import EventKind
from protos.records import Kind, ids, table
from tests.cloud.lake_world import T0
from tests.cloud.live.test_live import World


async def test_a_listener_hears_each_word_on_an_episode_of_its_series(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(device="pump")
    world.follow()
    (pump,) = [name.id for name in world.live.book.known().names]
    entry = world.gateway.series("pump")
    rows = {
        "series": [entry, entry], "ts": np.array([T0, T0]), "id": ids([bytes(16)] * 2),
        "state": [2, 0], "end": [T0 + 9, T0 + 9], "peak_ts": [T0, T0], "peak": [7.0, 7.0],
        "threshold": [3.0, 3.0], "model": "drift-1", "points": [5, 1],
    }  # fmt: skip
    with world.live.feed.listen(frozenset({pump})) as listener:
        world.gateway.send(table(Kind.EPISODES, rows))
        world.follow()
        events = await listener.take(10)
    assert [event.kind for event in events] == [EventKind.EPISODE] * 2
    opened, closed = (event.data for event in events)
    assert (opened["open"], closed["open"]) == (True, False), "in the order they were told"
    assert (closed["id"], closed["from"], closed["to"]) == ("0" * 32, T0, T0 + 9)
    assert (closed["device"], closed["peak"], closed["points"]) == ("pump", 7.0, 5)
