"""The consolidation role's program with a fault in it; TIDEGATE_TEST_FAULT says which.

`step:NAME` dies by SIGKILL when a pass has done that step. `block:OFFSET` dies of decoding that
block. `fsync` has every fsync of the lake fail. `slow` makes each pass last until a file `go`
stands beside the lake. `impatient` waits for nobody's lock.
"""

import errno
import os
import signal
import time
from pathlib import Path
from typing import NoReturn

import cloud.lake.consolidator
from cloud.lake.table import parquet
from cloud.roles import consolidator


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def at_step(name: str) -> None:
    made = cloud.lake.consolidator.Consolidator.__init__

    def watched(self, *args, **kwargs):
        made(self, *args, **kwargs, step=lambda step: die() if step == name else None)

    cloud.lake.consolidator.Consolidator.__init__ = watched


def at_block(offset: int) -> None:
    decode = cloud.lake.consolidator.decode

    def deadly(entries, *args, **kwargs):
        if any(entry.offset == offset for entry in entries):
            die()
        return decode(entries, *args, **kwargs)

    cloud.lake.consolidator.decode = deadly


def no_disk(handle: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def slow() -> None:
    run_once = cloud.lake.consolidator.Consolidator.run_once

    def waiting(self):
        (self._root.parent / "under-way").touch()
        while not Path(self._root.parent, "go").exists():
            time.sleep(0.01)
        return run_once(self)

    cloud.lake.consolidator.Consolidator.run_once = waiting


kind, _, value = os.environ["TIDEGATE_TEST_FAULT"].partition(":")
if kind == "step":
    at_step(value)
elif kind == "block":
    at_block(int(value))
elif kind == "slow":
    slow()
elif kind == "impatient":
    consolidator.LOCK_S = 0.0
elif kind == "fsync":
    take = consolidator.take

    def taken(one):
        take(one)
        parquet.os.fsync = no_disk

    consolidator.take = taken
consolidator.main()
