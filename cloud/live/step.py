"""One step of the live view: the next blocks of the journal, as a batch of the tail, counted.

The view takes one step after another: `Steps` makes them in this process, and
`cloud.roles.decoder` in another, by this very code. A step is made of the journal, the corrections
that are known and nothing else, so it makes no difference who makes it, nor how often.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from cloud.journal.contract import Entry
from cloud.lake.attempts import Attempts
from cloud.lake.correction import Correction, Known, corrections_of, settled
from cloud.lake.embedded import Pause, decode, no_pause, within_rows
from cloud.lake.names import Names
from cloud.lake.rollup import readings_of
from cloud.lake.table.schema import CORRECTIONS, READINGS
from cloud.live.series import Totals
from cloud.live.tail import TailBatch, TailRows, batch_of
from cloud.rollup import partials as rollup

BYTES_PER_STEP: Final = 8 << 20
ROWS_PER_STEP: Final = 1_000_000
"""Blocks decoded before what they hold is shown."""


class Blocks(Protocol):
    """What a step needs of a journal."""

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        """Entries with a higher offset, in order, at least one if there is any."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What follows an offset in the journal.

    Attributes:
        batch: all rows of it, at the times that the corrections known before and ``came`` give.
        totals: of its readings, None where there are none.
        came: corrections of times among its rows.
        killers: offsets of blocks that are left out and to be set apart: processes died of them.
        is_full: there was more to take than a step may hold.
    """

    batch: TailBatch
    totals: Totals | None
    came: tuple[Correction, ...]
    killers: tuple[int, ...]
    is_full: bool


class Stepper(Protocol):
    """Who makes steps; from one thread, but for `stop`."""

    def take(self, start: int, known: Known) -> Step | None:
        """What follows offset ``start``, None where nothing does.

        Raises:
            TrimmedError: the journal has it no more.
            StorageError: it cannot be read or decoded now.
        """

    def stop(self) -> None:
        """Finish the step under way, make no more."""


class Steps:
    """Makes steps in this process.

    Args:
        journal: where the blocks are.
        names: of their series.
        attempts: the marker of a block that kills; None: there is none.
        pause: called before each block.
        rows_max: rows that a step may hold.
        bytes_max: bytes of blocks that are read for it.
    """

    def __init__(
        self,
        journal: Blocks,
        names: Names,
        attempts: Attempts | None = None,
        pause: Pause = no_pause,
        rows_max: int = ROWS_PER_STEP,
        bytes_max: int = BYTES_PER_STEP,
    ) -> None:
        self._journal, self._names, self._attempts = journal, names, attempts
        self._pause, self._rows_max, self._bytes_max = pause, rows_max, bytes_max

    def take(self, start: int, known: Known) -> Step | None:
        """As `Stepper.take`."""
        bytes_max = self._bytes_max
        if self._attempts is not None:
            bytes_max = self._attempts.begin(start, bytes_max)
        read = self._journal.read(start, bytes_max)
        if not read:
            return None
        entries = within_rows(read, self._rows_max)
        step = self._tried(entries, start, known)
        size = sum(len(entry.data) for entry in entries)
        is_full = len(entries) < len(read) or size > bytes_max - bytes_max // 8
        return replace(step, is_full=is_full)

    def stop(self) -> None:
        """As `Stepper.stop`: there is nothing to end."""

    def _tried(self, entries: Sequence[Entry], start: int, known: Known) -> Step:
        """A step of them, without blocks that every process dies of."""
        if self._attempts is None:
            return self._made(entries, start, known, frozenset())
        try:
            killers = self._attempts.given_up(entries)
            step = self._made(entries, start, known, killers)
        except Exception:
            self._attempts.undone()  # it did not kill: the view goes on
            raise
        else:
            self._attempts.done()
            return step
        finally:
            self._attempts.leave()

    def _made(
        self, entries: Sequence[Entry], start: int, known: Known, killers: frozenset[int]
    ) -> Step:
        kept = [one for one in entries if one.offset not in killers]
        decoded = decode(kept, self._names, self._pause)
        came = corrections_of(decoded.tables.get(CORRECTIONS.name))
        batch = batch_of(settled(decoded, known.plus(came)), start)
        batch = replace(batch, end=entries[-1].offset)
        readings = batch.tables.get(READINGS.name)
        totals = None if readings is None else totals_of(readings, start)
        return Step(batch, totals, tuple(came), tuple(sorted(killers)), is_full=False)


def totals_of(readings: TailRows, start: int) -> Totals:
    """Of rows of `readings` of a batch that begins after offset ``start``."""
    return Totals.of(rollup.reduce(readings_of(readings.rows), rollup.DAY_US, start))
