"""Steps of the product at which the campaign can stop one of its processes; loaded by PYTHONPATH.

The product knows nothing of this. Each listed function is wrapped when its module is imported, and
looks at every call for an order: a file named by TIDEGATE_CRASH_ORDER with `point before|after
calls kill` or `point before|after 0 slow seconds`. Without the file nothing happens. A kill takes
the order away first, so that the process that follows lives.
"""

import os
import select
import signal
import sys
import time
from importlib.machinery import PathFinder

ORDER = os.environ.get("TIDEGATE_CRASH_ORDER", "")
POINTS = {
    "edge.store.commit": ("Intake._write",),
    "edge.store.blocks": ("Blocks.seal_next", "Blocks.blocks_from"),
    "edge.store.release": ("Release.mark", "Release.begin_epoch", "Release.forget"),
    "edge.store.file": ("BufferFile.write_back", "BufferFile.give_back"),
    "edge.collect": ("Collect._acknowledge",),
    "edge.ingest_paho": ("PahoIngest._send_acks",),
    "cloud.journal_sqlite.writer": ("Writer._commit", "Writer._rotate_if_due"),
    "cloud.journal_sqlite.sealed": ("Sealed.trim", "Sealed._settle"),
    "cloud.lake": ("Consolidator._commit", "Consolidator._archive"),
    "cloud.lake_table.table": ("LakeTable.append", "LakeTable._commit"),
}
# A campaign lasts minutes: pauses that grow to a minute would leave most rounds without a session.
PAUSES = {"edge.uplink": {"BACKOFF_MAX_S": 2.0, "FENCED_MIN_S": 2.0}}
# A copied card in another machine has another boot id; here both run on one machine.
BOOT_ID = os.environ.get("TIDEGATE_CRASH_BOOT_ID", "")


def carry_out(point, moment, calls):
    try:
        with open(ORDER) as file:
            name, when, count, what, *seconds = file.read().split()
    except (FileNotFoundError, ValueError):
        return
    if (name, when) != (point, moment):
        return
    if what == "slow":
        time.sleep(float(seconds[0]))
        return
    calls[0] += 1
    if calls[0] >= int(count):
        os.unlink(ORDER)
        os.kill(os.getpid(), signal.SIGKILL)


def wrap(module, path):
    holder, name = path.split(".")
    cls = getattr(module, holder, type(None))
    original = cls.__dict__.get(name)
    if original is None:  # a test holds the list to the product; a campaign does not end for it
        return
    point, calls = f"{module.__name__}:{path}", [0]

    def wrapped(*args, **kwargs):
        carry_out(point, "before", calls)
        result = original(*args, **kwargs)
        carry_out(point, "after", calls)
        return result

    setattr(cls, name, wrapped)


def prepare(module):
    for path in POINTS.get(module.__name__, ()):
        wrap(module, path)
    for name, value in PAUSES.get(module.__name__, {}).items():
        assert hasattr(module, name), name
        setattr(module, name, value)
    if module.__name__ == "edge.clock" and BOOT_ID:
        module.read_boot_id.__defaults__ = (type(module.BOOT_ID)(BOOT_ID),)


class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in POINTS and name not in PAUSES and name != "edge.clock":
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

if ORDER:
    sys.meta_path.insert(0, Finder)
