"""kill -9 amid faults: every episode is told once, and goes on under its own id."""

import random
import signal
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from protos.block import read_block
from protos.records import EpisodeState, Kind

CHILD = textwrap.dedent(
    """
    import sys
    import numpy as np
    from pathlib import Path
    from edge.chunk import Chunk
    from edge.detect.detection import Detection
    from edge.detect.episode import Course
    from edge.detect.episodes import Episodes
    from edge.detect.judged import Judged
    from edge.detect.score import Looked
    from edge.keys import find_key
    from edge.store.limits import StoreLimits
    from edge.store.store import Store
    from protos.records import Kind, concat, numbers
    from protos.series import SeriesKey, make_entry

    class Above:
        labels = ("rule:above",)
        def look(self, batches, catalog):
            rows = concat(batches).kind(Kind.NUMBERS)
            hit = rows["value"] > 100
            threshold = np.full(len(hit), 3.0)
            judged = Judged("rule:above", rows["series"], rows["ts"], rows["value"],
                            np.where(hit, 9.0, 0.0), threshold)
            return [Looked(np.arange(len(hit)), judged, hit)]
        def learning(self):
            return {}

    folder, first = Path(sys.argv[1]), int(sys.argv[2])
    store = Store.open(folder / "buffer.db", gateway="gw-1", limits=StoreLimits(bytes_max=16 << 20),
                       keys=find_key(folder / "keys" / "buffer.key", {}), boot_id=bytes(16))
    if not store.load().entries:
        store.commit(Chunk(numbers([], [], [], [], []),
                           (make_entry(1, 1, SeriesKey("d", "m"), bytes(16)),))).result()
    course = Course(calm_readings=2, calm_us=0)
    detection = Detection([Above()], Episodes("gw-1", course))
    detection.restore(store.remembered())
    n = first
    while True:  # a fault of 25 readings in every 50, five readings a commit
        at = np.arange(n, n + 5)
        value = np.where(at % 50 < 25, 200.0, 1.0)
        batch = numbers([1] * 5, at * 1_000_000, value, [0] * 5, at)
        (found,) = detection.detect([batch], None)
        chunk = Chunk(concat([batch, found.batch]), kept=found.kept, counters=found.totals())
        store.commit(chunk).result()
        n += 5
        print(n, flush=True)
    """
)


def run_and_kill(folder: Path, first: int, after: int) -> int:
    """Let a child read from ``first`` on and kill it after some commits; where it came to."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    told = [first]
    for line in child.stdout:
        told.append(int(line))
        if len(told) > after:
            child.send_signal(signal.SIGKILL)
            break
    told += [int(line) for line in child.stdout if line.endswith("\n")]
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    return told[-1]


@pytest.mark.parametrize("seed", range(2))
def test_kills_amid_faults_lose_no_episode_and_double_none(world: Any, seed: int) -> None:
    chance = random.Random(seed)
    first = 0
    for _ in range(4):
        # What was committed and not told of is read again, as a broker sends it again.
        first = run_and_kill(world.folder, first, chance.randint(3, 40))
    end = run_and_kill(world.folder, first, 30)
    store = world.open(bytes_max=16 << 20)
    words = defaultdict(list)
    for block in world.drain(store):
        rows = read_block(block.data)[2].kind(Kind.EPISODES)
        columns = (rows[name].tolist() for name in ("ts", "state", "end"))
        for id_, *told in zip(rows["id"], *columns, strict=True):
            words[bytes(id_)].append(tuple(told))
    starts = [told[0][0] // 1_000_000 for told in words.values()]
    assert len(starts) == len(set(starts)), "no fault became two episodes"
    # The last commit may be there and not told of: the kill came between.
    assert sorted(starts) == list(range(0, end + 5, 50))[: len(starts)]
    assert len(starts) >= (end - 5) // 50
    for told in words.values():
        assert len({start for start, _, _ in told}) == 1, "its start is told once and for all"
        states = [state for _, state, _ in told]
        assert states[0] == EpisodeState.OPENED
        assert states.count(EpisodeState.OPENED) == 1
        start = told[0][0] // 1_000_000
        if start + 32 < end - 5:
            assert states[-1] == EpisodeState.CLOSED
            assert states.count(EpisodeState.CLOSED) == 1
            assert told[-1][2] // 1_000_000 == start + 24, "its end is that of the fault"
