"""Where the consolidation role runs: beside ingest in one process, or in one of its own.

Apart, it cannot hold the interpreter while a gateway waits for its acknowledgement, and its work
has a core to itself; that costs a second interpreter with its libraries. So a machine with few
cores or little memory keeps one process, unless the settings say otherwise.
"""

import os
from collections.abc import Callable
from typing import Final

from cloud.config import CloudConfig
from cloud.ingest.courtesy import Courtesy
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.lake.consolidator import Consolidator
from cloud.lake.floors import FloorKeeper
from cloud.lake.loop import Consolidation, ConsolidationLoop
from cloud.lake.names import Names
from cloud.lake.release import Releases
from cloud.lake.upkeep import UpkeepSettings, upkeep_by
from cloud.live.live import Live
from cloud.roles.ingest_keeper import JournalApart
from cloud.roles.keeper import ConsolidationProcess
from cloud.roles.wire import Start
from cloud.settings import Placement

CORES_MIN: Final = 3
MEMORY_BYTES_MIN: Final = 3 << 30
"""Of the machine: one sold with 4 GB says a little less."""


def begin_consolidation(
    config: CloudConfig,
    journal: SqliteJournal | JournalApart,
    names: Names,
    live: Live,
    courtesy: Courtesy,
    now_us: Callable[[], int],
) -> Consolidation:
    """Take the lake and show its first view, where the settings say; passes begin with `start`.

    Raises:
        OperatorError, StorageError: the lake cannot be taken.
    """
    lake, upkeep = config.settings.lake, UpkeepSettings.of(config.settings)
    if is_apart(config.settings.roles.consolidation, *machine()):
        log = config.settings.log
        folders = str(config.journal_folder), str(config.lake_folder)
        first = Start(
            *folders, journal.generation, lake.interval_s, lake.batch_bytes, upkeep,
            log.format, log.level,
        )  # fmt: skip
        process = ConsolidationProcess(first, journal, live)
        process.begin()
        return process
    consolidator = Consolidator(
        config.lake_folder, journal, names, live,
        releases=Releases(journal.quarantined_blocks, names, now_us),
        floors=FloorKeeper(config.lake_folder, journal),
        upkeep=upkeep_by(upkeep, now_us, courtesy.step_aside),
        bytes_per_pass=lake.batch_bytes, pause=courtesy.step_aside,
    )  # fmt: skip
    try:
        consolidator.recover()
    except BaseException:
        consolidator.close()
        raise
    return ConsolidationLoop(consolidator, lake.interval_s)


def machine() -> tuple[int, int]:
    """Cores that this process may use, and bytes of the machine's memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)), memory
    return os.cpu_count() or 1, memory


def is_apart(placement: Placement, cores: int, memory_bytes: int) -> bool:
    """Whether the role has a process of its own."""
    if placement is Placement.AUTO:
        return cores >= CORES_MIN and memory_bytes >= MEMORY_BYTES_MIN
    return placement is Placement.APART
