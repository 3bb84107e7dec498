"""kill -9 of a process that commits in a loop: what was acknowledged is there, once."""

import random
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from edge.when_full import WhenFull
from protos.block import read_block
from protos.records import Kind

CHILD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from edge.chunk import Chunk
    from edge.keys import find_key
    from edge.store.store import Store
    from edge.store.limits import StoreLimits
    from protos.records import numbers
    from protos.series import SeriesKey, make_entry

    folder, first = Path(sys.argv[1]), int(sys.argv[2])
    store = Store.open(folder / "buffer.db", gateway="gw-1", limits=StoreLimits(bytes_max=16 << 20),
                       keys=find_key(folder / "keys" / "buffer.key", {}), boot_id=bytes(16))
    if not store.load().entries:
        store.commit(Chunk(numbers([], [], [], [], []),
                           (make_entry(1, 1, SeriesKey("d", "m"), bytes(16)),))).result()
    if not store.sync_state().result().epoch:
        store.begin_epoch(1, ()).result()
    n = first
    while True:
        futures = []
        for _ in range(3):
            batch = numbers([1, 1], [n, n + 1], [float(n), float(n + 1)], [0, 0], [n, n])
            futures.append((n, store.commit(Chunk(batch, marks=n.to_bytes(16, "big")))))
            n += 2
        for at, future in futures:
            future.result()
            print(at, flush=True)
        if n % 5 == 0:
            store.seal_next(bytes_target=2000, mono_us=0, wall_us=0).result()
    """
)

EVICTING = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from edge.chunk import Chunk
    from edge.keys import find_key
    from edge.store.store import Store
    from edge.store.limits import StoreLimits
    from edge.when_full import WhenFull
    from protos.records import texts
    from protos.series import SeriesKey, make_entry
    import random

    folder, n = Path(sys.argv[1]), int(sys.argv[2])
    limits = StoreLimits(bytes_max=1 << 20, when_full=WhenFull.DROP_OLDEST)
    store = Store.open(folder / "buffer.db", gateway="gw-1", limits=limits, boot_id=bytes(16),
                       keys=find_key(folder / "keys" / "buffer.key", {}))
    entries = () if store.load().entries else (make_entry(1, 1, SeriesKey("d", "m"), bytes(16)),)
    while True:
        at = range(n, n + 20)
        chunk = Chunk(texts([1] * 20, list(at), [random.randbytes(600).hex() for _ in at], 0, 0),
                      entries)
        store.commit(chunk).result()
        entries, n = (), n + 20
        print(n - 1, flush=True)
    """
)


def run_and_kill(folder: Path, first: int, after: int, code: str = CHILD) -> list[int]:
    """Let a child commit from ``first`` on and kill it after that many acks; what it told."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    told = []
    for line in child.stdout:
        told.append(int(line))
        if len(told) >= after:
            child.send_signal(signal.SIGKILL)
            break
    told += [int(line) for line in child.stdout if line.endswith("\n")]
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    return told


@pytest.mark.parametrize("seed", range(3))
def test_every_acknowledged_reading_survives_kills_once(world: Any, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: list[int] = []
    first = 0
    for _ in range(4):
        told = run_and_kill(world.folder, first, chance.randint(1, 120))
        acknowledged += told
        first = max(told) + 1000
    store = world.open(bytes_max=16 << 20)
    found = Counter(ts for _, ts, _ in world.drained(store))
    assert max(found.values()) == 1, "none twice"
    assert {n for at in acknowledged for n in (at, at + 1)} <= found.keys(), "all there"
    pairs = {ts for ts in found if ts % 2 == 0}
    assert all(ts + 1 in found for ts in pairs), "a chunk is whole"
    marks = store.load().marks
    kept = {int.from_bytes(marks[i : i + 16], "big") for i in range(0, len(marks), 16)}
    assert kept == pairs, "marks are of the same transaction"


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_while_evicting_leaves_each_reading_in_the_buffer_or_in_a_gap(
    world: Any, seed: int
) -> None:
    chance = random.Random(seed)
    bound = {"bytes_max": 1 << 20, "when_full": WhenFull.DROP_OLDEST}
    told = run_and_kill(world.folder, 0, chance.randint(60, 120), EVICTING)
    store = world.open(**bound)
    batches = [read_block(block.data)[2] for block in world.drain(store)]
    found = sorted(ts for batch in batches for _, ts, _ in world.values_of(batch))
    lost = sum(int(batch.kind(Kind.GAPS)["count"].sum()) for batch in batches)
    assert lost == store.stats().result().counters["evicted"] > 0
    assert found[-1] >= max(told)
    assert found == list(range(lost, found[-1] + 1)), "the oldest, all of them told, none else"
