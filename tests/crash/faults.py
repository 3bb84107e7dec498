"""The faults of the campaign: each is begun, held for a moment and ended; all drawn by seed."""

import importlib.util
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

from tests.crash.line import Line, Trouble
from tests.crash.site import CHILD, Site, StuckError, await_until

Fault = Callable[[Site, random.Random], str]
POINT_PATIENCE_S = 8.0


def failpoints() -> dict[str, tuple[str, ...]]:
    """The points of each module, as the processes know them."""
    spec = importlib.util.spec_from_file_location("crash_child", CHILD / "sitecustomize.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    points: dict[str, tuple[str, ...]] = module.POINTS
    return points


def _points_of(half: str) -> list[str]:
    return [
        f"{module}:{path}"
        for module, paths in failpoints().items()
        if module.startswith(half)
        for path in paths
    ]


def kill_at_random(half: str, site: Site, chance: random.Random) -> str:
    time.sleep(chance.uniform(0, 0.5))
    site.kill(half)
    return f"kill -9 {half}"


def kill_twice(half: str, site: Site, chance: random.Random) -> str:
    """The second while it recovers from the first."""
    site.kill(half)
    time.sleep(chance.uniform(0.3, 2.5))
    site.kill(half)
    return f"kill -9 {half} twice"


def kill_at_point(half: str, site: Site, chance: random.Random) -> str:
    """Order a death at a step; where the step is not reached in time, at random."""
    point, moment = chance.choice(_points_of(half)), chance.choice(["before", "after"])
    order = site.order(half)
    order.write_text(f"{point} {moment} {chance.randint(1, 5)} kill")
    try:
        await_until("the point is reached", lambda: not site.is_running(half), POINT_PATIENCE_S)
    except StuckError:
        order.unlink(missing_ok=True)
        site.kill(half)
        return f"kill -9 {half} ({point} was not reached)"
    site.kills += 1
    site.half(half).start()
    return f"kill -9 {half} {moment} {point}"


def slow_disk(half: str, site: Site, chance: random.Random) -> str:
    """Every commit takes much longer, as on a worn card."""
    point = {"edge": "edge.store.commit:Intake._write"}.get(
        half, "cloud.journal_sqlite.writer:Writer._commit"
    )
    order, seconds = site.order(half), chance.uniform(0.1, 0.6)
    order.write_text(f"{point} before 0 slow {seconds:.2f}")
    time.sleep(chance.uniform(1.5, 3))
    if chance.random() < 0.5:
        site.kill(half)
    order.unlink(missing_ok=True)
    return f"slow disk of {half}, {seconds:.2f} s a commit"


def full_disk(half: str, site: Site, chance: random.Random) -> str:
    """No byte is left for a while; the half may refuse or end, and must come back by itself."""
    disk = site.disks[half]
    until = time.monotonic() + chance.uniform(1.5, 3)
    killing = chance.random() < 0.3
    try:
        while time.monotonic() < until:
            disk.fill()
            time.sleep(0.05)
        if killing:
            site.kill(half)
    finally:
        disk.relieve()
    return f"full disk of {half}{', killed on it' if killing else ''}"


def bad_line(to: str, trouble: Trouble, site: Site, chance: random.Random) -> str:
    line: Line = site.broker_line if to == "broker" else site.cloud_line
    for _ in range(chance.randint(1, 3) if trouble is Trouble.CUT else 1):
        line.fail(trouble)
        time.sleep(chance.uniform(0.2, 2.5))
    line.heal()
    return f"{trouble.value} on the line to the {to}"


def all_faults(*, disks: bool) -> list[Fault]:
    """Every kind once; those of a full disk only where there is one to fill."""
    found: list[Fault] = [partial(kill_at_random, half) for half in ("edge", "cloud", "broker")]
    for half in ("edge", "cloud"):
        found += [partial(kill, half) for kill in (kill_at_point, kill_at_point, kill_twice)]
        found.append(partial(slow_disk, half))
        if disks:
            found.append(partial(full_disk, half))
    for to in ("broker", "cloud"):
        found += [partial(bad_line, to, trouble) for trouble in Trouble]
    return found


def drawn(seed: int, kinds: list[Fault]) -> Iterator[tuple[Fault, random.Random]]:
    """Kinds in a shuffled order, each once before any comes again, with a chance of its own."""
    chance = random.Random(seed)
    number = 0
    while True:
        for kind in chance.sample(kinds, len(kinds)):
            yield kind, random.Random(f"{seed}/{number}")
            number += 1
