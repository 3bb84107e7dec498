"""Steps of the product at which the campaign can stop one of its processes; loaded by PYTHONPATH.

The product knows nothing of this. Each listed function is wrapped when its module is imported, and
looks at every call for an order: the files `kill` and `trouble` in the folder that
TIDEGATE_CRASH_ORDERS names, each a JSON object: `point` (a pattern), `within` (a point that must be
under way in this thread, or ""), `moment` (before, after), `calls` (at which such call) and `do`:
kill, fail (EIO, once) or slow (every time, `seconds`). Without a file nothing happens. A kill and a
failure take their order away first, so that the process that follows lives.
"""

import errno
import inspect
import json
import os
import random
import select
import signal
import sys
import threading
import time
from fnmatch import fnmatch
from functools import wraps
from importlib.machinery import PathFinder

ORDERS = os.environ.get("TIDEGATE_CRASH_ORDERS", "")
MUTANT = os.environ.get("TIDEGATE_CRASH_MUTANT", "")
POINTS = {
    "edge.store.buffer": ("Buffer.__init__",),
    "edge.store.commit": ("Intake._write",),
    "edge.store.blocks": ("Blocks._keep", "Blocks.blocks_from"),
    "edge.store.release": ("Release.mark",),
    "edge.store.file": ("BufferFile.write_back",),
    "edge.collect": ("Collect._acknowledge",),
    "edge.ingest_native_link": ("NativeLink.ack",),
    "edge.uplink_session": ("Conversation._send",),
    "cloud.ingest.stream": ("Stream._write",),
    "cloud.journal.sqlite.segment": ("create_segment", "sync_path", "settle", "remove"),
    "cloud.journal.sqlite.writer": ("Writer._commit",),
    "cloud.journal.sqlite.sealed": ("Sealed.trim", "Sealed._settle"),
    "cloud.lake.consolidator": ("Consolidator._archive", "Consolidator.recover"),
    "cloud.lake.table.table": ("LakeTable.merge", "LakeTable.remove"),
}
# The consolidator tells whoever asks how far it is: each of its steps is a point as well.
STEPS = (
    "data file written",
    "data file durable",
    "committed",
    "commit durable",
    "readings committed",
    "before archived",
    "checkpoint written",
    "log cleaned",
)
# A campaign lasts minutes: pauses that grow to a minute would leave most rounds without a session,
# and what comes once in many commits would hardly ever be interrupted.
NUMBERS = {
    "edge.uplink": {"BACKOFF_MAX_S": 2.0, "FENCED_MIN_S": 2.0},
    "cloud.lake.table.table": {"CHECKPOINT_EVERY": 8},
}
# A copied card in another machine has another boot id; here both run on one machine.
BOOT_ID = os.environ.get("TIDEGATE_CRASH_BOOT_ID", "")
WRITERS = ("edge.store.file", "cloud.journal.sqlite.segment")
WATCHED = {*POINTS, *NUMBERS, *WRITERS, "edge.clock", "cloud.lake.table.sweep"}

under_way = threading.local()
seen = {}
kept = []


def visit(point, moment):
    for kind in ("kill", "trouble"):
        path = f"{ORDERS}/{kind}"
        try:
            with open(path) as file:
                order = json.load(file)
        except FileNotFoundError:
            continue
        if fnmatch(point, order["point"]) and moment == order["moment"] and is_within(order):
            carry_out(path, order)


def is_within(order):
    return not order["within"] or order["within"] in getattr(under_way, "points", ())


def carry_out(path, order):
    count = seen[order["id"]] = seen.get(order["id"], 0) + 1
    if order["do"] == "slow":
        # A card is busy with itself now and then.
        time.sleep(order["seconds"] * (10 if random.random() < 0.05 else 1))
        return
    if count < order["calls"]:
        return
    try:
        os.unlink(path)
    except FileNotFoundError:  # another thread was quicker, or it was taken back
        return
    if order["do"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def wrapped(point, original):
    @wraps(original)
    def stopped(*args, **kwargs):
        visit(point, "before")
        before = getattr(under_way, "points", ())
        under_way.points = (*before, point)
        try:
            result = original(*args, **kwargs)
        finally:
            under_way.points = before
        visit(point, "after")
        return result

    @wraps(original)
    async def stopped_async(*args, **kwargs):
        visit(point, "before")
        result = await original(*args, **kwargs)
        visit(point, "after")
        return result

    return stopped_async if inspect.iscoroutinefunction(original) else stopped


def wrap(module, path):
    *holder, name = path.split(".")
    owner = getattr(module, holder[0], None) if holder else module
    original = vars(owner).get(name) if owner is not None else None
    if original is not None:  # a test holds the list to the product; no campaign ends for it
        setattr(owner, name, wrapped(f"{module.__name__}:{path}", original))


def tell_steps(module):
    made = module.Consolidator.__init__

    def watched(self, *args, **kwargs):
        made(
            self,
            *args,
            **kwargs,
            step=lambda step: visit(f"cloud.lake.consolidator:{step}", "after"),
        )

    module.Consolidator.__init__ = watched


def acknowledge_early(module):
    committed = module.Collect._commit

    def mutant(self, chunk, tokens):
        self._ingest.ack(tokens)
        committed(self, chunk, [])

    module.Collect._commit = mutant


def delete_early(module):
    marked = module.Release.mark

    def mutant(self, stored, archived, generation):
        marked(self, stored, stored, generation)

    module.Release.mark = mutant


MUTANTS = {
    "acknowledges before the commit": ("edge.collect", acknowledge_early),
    "deletes what is stored": ("edge.store.release", delete_early),
}


def prepare(module):
    name = module.__name__
    for path in POINTS.get(name, ()):
        wrap(module, path)
    for number, value in NUMBERS.get(name, {}).items():
        assert hasattr(module, number), number
        setattr(module, number, value)
    if name == "edge.clock" and BOOT_ID:
        module.read_boot_id.__defaults__ = (type(module.BOOT_ID)(BOOT_ID),)
    if name == "cloud.lake.table.sweep":
        module.Sweeper.__init__.__defaults__ = (2.0,)  # of its grace
    if name == "cloud.lake.consolidator":
        tell_steps(module)
    if name == MUTANTS.get(MUTANT, ("",))[0]:
        MUTANTS[MUTANT][1](module)
    if name in WRITERS and not kept:
        import watched_disk

        sqlite_lies = MUTANT == "acknowledges before the fsync"
        python_lies = MUTANT == "archives before the fsync"
        disk = watched_disk.install(visit, sqlite_lies=sqlite_lies, python_lies=python_lies)
        kept.append(disk)


class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in WATCHED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            prepare(module)

        spec.loader.exec_module = exec_module
        return spec


if "FAKETIME" in os.environ:
    # libfaketime takes the deadline of clock_nanosleep for one of its own clock, and never wakes.
    time.sleep = lambda seconds: select.select([], [], [], seconds) and None

if ORDERS:
    sys.meta_path.insert(0, Finder)
