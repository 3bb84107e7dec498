"""Passes of the consolidator without a cloud: what the journal has and the tables lack."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from cloud.config import CloudConfig
from cloud.errors import OperatorError, StorageError
from cloud.journal.sqlite.recovery import is_written
from cloud.journal.sqlite.snapshot import readings_between, take_snapshot
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.consolidator import Batch, Consolidator
from cloud.lake.embedded import Decoded
from cloud.lake.floors import FloorKeeper, LakeGround
from cloud.lake.names import Names
from cloud.lake.release import Releases
from cloud.lake.table import log as lake_log
from cloud.lake.table.schema import READINGS
from cloud.lake.table.state import covered

Told = Callable[[str, int, int], None]
"""Told what is done, how far, of how much."""
_TRIED: Final = "consolidate"
WAIT_S: Final = 60.0
"""How long the journal may take to begin a segment."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Blocks and readings that the tables lacked, and blocks that were set apart."""

    blocks: int
    readings: int
    quarantined: int = 0


class Nobody:
    """Viewers of a lake that nobody looks at."""

    def publish(self, batch: Batch) -> None:
        """Nobody looks."""

    def released(self, decoded: Decoded) -> None:
        """Nobody looks."""

    def in_use(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()


def check_stopped(config: CloudConfig) -> None:
    """OperatorError when the cloud of this home is running."""
    if config.journal_folder.is_dir() and is_written(config.journal_folder):
        cause = "the cloud is running, and consolidates by itself what comes"
        hint = "stop `tidegate-cloud serve` meanwhile; --dry-run may run beside it"
        raise OperatorError(f"{_TRIED} {config.home}", cause, hint)


def waiting(config: CloudConfig) -> Passed:
    """What the tables lack of the journal; reads only, beside a running cloud or without one.

    StorageError when there is no journal, or it cannot be read.
    """
    snapshot = take_snapshot(config.journal_folder)
    is_made = lake_log.exists(config.lake_folder / READINGS.name)
    at = covered(config.lake_folder) if is_made else 0
    readings = readings_between(config.journal_folder, at, snapshot.head) or {}
    return Passed(max(snapshot.head - at, 0), sum(readings.values()))


def carry_over(config: CloudConfig, told: Told) -> Passed:
    """Bring into the tables all that they lack; durable on return.

    A pass that is cut short anywhere is finished by the next, of this command or of the cloud.

    Raises:
        OperatorError: the cloud is running.
        StorageError: there is no journal, or the disk refuses.
    """
    check_stopped(config)
    take_snapshot(config.journal_folder)  # where there is no journal, none is made
    with _journal(config) as journal:
        names = Names(journal.series)
        consolidator = Consolidator(
            config.lake_folder,
            journal,
            names,
            Nobody(),
            releases=Releases(journal.quarantined_blocks, names, _now_us),
            floors=FloorKeeper(config.lake_folder, journal),
            bytes_per_pass=config.settings.lake.batch_bytes,
        )
        with closing(consolidator):
            consolidator.recover()
            before = waiting(config)  # a log that a power cut tore can be read from here on
            quarantined, more = 0, True
            while more:
                progress = consolidator.run_once()
                quarantined, more = quarantined + progress.quarantined, progress.more
                done = before.blocks - (journal.head() - progress.offset)
                told("blocks consolidated", done, before.blocks)
    return Passed(before.blocks, before.readings, quarantined)


def empty_journal(config: CloudConfig) -> None:
    """Unlink all blocks that are archived, also those of the segment in use.

    Raises:
        OperatorError: the cloud is running.
        StorageError: the disk refuses, or has no room for another segment.
    """
    check_stopped(config)
    with _journal(config) as journal:
        journal.seal().result(WAIT_S)
        if journal.trim() < journal.archived():
            tried, cause = f"empty the journal {config.journal_folder}", "a segment of it stays"
            raise StorageError(tried, cause, "make room on the disk, and run this again")


@contextmanager
def _journal(config: CloudConfig) -> Iterator[SqliteJournal]:
    settings, beside = config.settings, LakeGround(config.lake_folder)
    limits = JournalLimits(
        settings.journal.bytes_max,
        settings.journal.segment_bytes,
        free_bytes_min=settings.journal.free_bytes_min,
    )
    with closing(
        SqliteJournal.open(
            config.journal_folder, now_us=_now_us, limits=limits, ground=beside.ground
        )
    ) as journal:
        beside.adopt_into(journal.quarantined_blocks)
        yield journal


def _now_us() -> int:
    return time.time_ns() // 1000
