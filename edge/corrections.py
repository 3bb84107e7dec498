"""What the cloud is told of unsynced time, once it is known how far the clock was off.

A correction is a record in the buffer like a reading: kept before it is forgotten here, delivered,
and never evicted. A crash between the two keeps it twice, with the same offset, and the cloud
corrects a reading once.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from edge.chunk import Chunk
from edge.clock import Clock
from edge.errors import StorageError
from edge.store.store import Store
from edge.timeline import Stretch
from protos.records import Batch, Kind, table

LOOK_S: Final = 2.0

_log = logging.getLogger(__name__)


def batch_of(stretches: Sequence[Stretch]) -> Batch:
    """The records that correct these stretches, whose offsets are known.

    ``ts`` is the first stamp of a stretch as it was given; times on its line end at ``mono_to``.
    """
    columns = {
        "series": 0,
        "ts": [one.base_us + one.mono_from for one in stretches],
        "boot_id": [one.boot_id for one in stretches],
        "mono_from": [one.mono_from for one in stretches],
        "mono_to": [one.mono_to for one in stretches],
        "offset": [one.offset_us for one in stretches],
    }
    return table(Kind.CORRECTIONS, columns)


def keep_known(clock: Clock, store: Store) -> int:
    """Put into the buffer what is known of past stretches; how many. For a thread that may wait.

    StorageError: nothing was kept, and the next call tries again.
    """
    known = clock.settle()
    if not known:
        return 0
    chunk = Chunk(batch_of(known), counters={"corrections": len(known)})
    store.commit(chunk).result()
    clock.told(known)
    return len(known)


async def run(clock: Clock, store: Store, kept: Callable[[], None]) -> None:
    """Look every second or so, for ever; ``kept`` is called when there is something to send."""
    told = ""
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            count = await asyncio.to_thread(keep_known, clock, store)
        except StorageError as error:  # a full buffer: it waits, and its cause is told once
            if str(error) != told:
                told = str(error)
                _log.warning("corrections of times wait: %s", told)
            continue
        told = ""
        if count:
            _log.info("the clock is synchronised: the times of %d stretches are corrected", count)
            kept()
