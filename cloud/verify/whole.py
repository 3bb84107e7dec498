"""Is history whole? Journal, lake and ledger counted again and held against each other.

Reads only, beside a running cloud or without one; holds one answer of the journal and one row
group of the lake in memory. Promise 7, for every gateway and epoch: rows of the lake = rows of the
journal − quarantined − erased − removed by retention; the chains are proved by
`cloud.verify.chain`, what the tables' logs say of their files by `cloud.verify.bounds`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cloud.errors import StorageError
from cloud.journal.counts import EARLIER, Tally
from cloud.journal.sqlite.log_check import read_end
from cloud.journal.sqlite.quarantine import Quarantine, Quarantined, State
from cloud.journal.sqlite.recovery import is_written
from cloud.journal.sqlite.segment import list_segments
from cloud.journal.sqlite.snapshot import Snapshot, readings_between, take_snapshot
from cloud.lake.table.schema import READINGS, ROLLUPS
from cloud.lake.table.table import State as TableState
from cloud.lake.table.table import look
from cloud.ledger.of_lake import Key, rows_of
from cloud.retention.retired import read_retired
from cloud.retention.rules import Retired
from cloud.verify import chain as verify_chain
from cloud.verify.bounds import compare_bounds
from cloud.verify.chain import Chain
from cloud.verify.rollups import compare_rollups, total_of

TRIES: Final = 20
"""How often a state is taken anew because trimming or a merge overtook the reading of it."""
FAULTS_MAX: Final = 100

_UNFINISHED: Final = (
    "an erasure was cut short, rollups are not compared: `tidegate-cloud serve` or `consolidate`"
    " finishes it"
)
Progress = Callable[[str, int, int], None]
"""Told what is counted, how far, of how much."""


@dataclass(slots=True)
class Verdict:
    """What was found; ``faults`` say what is not whole, ``notes`` what could not be compared."""

    blocks: int = 0
    journalled: int = 0
    archived: int = 0
    in_lake: int = 0
    quarantined: int = 0
    erased: int = 0
    retired: int = 0
    gateways: int = 0
    begun: int = 1
    generation: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def blame(self, fault: str) -> None:
        """Add a fault; past a number of them they are only counted as one more line."""
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(fault)

    def line(self) -> str:
        """All in one line."""
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            return f"history is NOT whole: {self.faults[0]}{more}"
        apart = f" − {self.quarantined:,} quarantined" if self.quarantined else ""
        gone = f" − {self.erased:,} erased" if self.erased else ""
        gone += f" − {self.retired:,} removed by retention" if self.retired else ""
        return (
            f"history is whole: {_counted(self.in_lake, 'reading')} in the lake = {self.archived:,}"
            f" archived{apart}{gone}; {_counted(self.blocks, 'block')} proved"
            f" of {_counted(self.gateways, 'gateway')}"
            f"{self._anew()}"
        )

    def _anew(self) -> str:
        if self.begun == 1:
            return ""
        return (
            f"; the journal was lost or restored and begun anew at offset {self.begun:,},"
            f" generation {self.generation}"
        )


@dataclass(frozen=True, slots=True)
class _Moment:
    """Journal and lake as of one offset of the lake's readings."""

    snapshot: Snapshot
    tables: dict[str, TableState]
    grown: dict[Key, int]
    apart: list[Quarantined]
    retired: Retired

    @property
    def offset(self) -> int:
        return self.tables[READINGS.name].offset


def verify(journal: Path, lake: Path, progress: Progress = lambda *_: None) -> Verdict:
    """Count everything again.

    Raises:
        StorageError: there is nothing to verify, or it cannot be read at all.
    """
    verdict = Verdict()
    moment, rows = _count_lake(journal, lake, verdict, progress)
    chain = verify_chain.prove(journal, moment.snapshot, moment.apart, verdict.blame, progress)
    verdict.blocks = chain.blocks
    verdict.gateways = len(moment.snapshot.standing)
    _look_behind_logs(journal, verdict)
    verdict.begun, verdict.generation = moment.snapshot.begun, moment.snapshot.generation
    _compare_journal(moment.snapshot, chain, verdict)
    _compare_lake(moment, rows, chain, verdict)
    compare_bounds(lake, verdict)
    if moment.retired.unfinished:
        verdict.notes.append(_UNFINISHED)
        return verdict
    compare_rollups(lake, moment.tables, moment.retired.hulls, rows, verdict)
    return verdict


def _look_behind_logs(journal: Path, verdict: Verdict) -> None:
    """Commits that SQLite does not show any more; beside a running cloud its own reading counts."""
    if is_written(journal):
        return
    for segment in list_segments(journal):
        if segment.wal.exists() and read_end(segment.wal).wrong:
            name = segment.wal.name
            verdict.blame(
                f"the end of the journal's log {name} is damaged, blocks behind it are lost: the"
                " next start of the cloud asks the gateways for them"
            )


def _count_lake(
    journal: Path, lake: Path, verdict: Verdict, progress: Progress
) -> tuple[_Moment, Counter[Key]]:
    """Rows of `readings` by gateway and epoch, as of a moment; files counted once are not again."""
    counted: dict[str, Counter[Key]] = {}
    for _ in range(TRIES):
        moment = _moment(journal, lake)
        files = moment.tables[READINGS.name].files
        path = Path(files.folder)
        try:
            for done, file in enumerate(files.files):
                progress("lake files", done, len(files.files))
                path = Path(files.folder, file.path)
                if file.path not in counted:
                    counted[file.path] = rows_of(path, file.rows)
        except FileNotFoundError:
            if look(lake, READINGS).files.version == files.version:
                verdict.blame(f"the lake's file {path} is missing")
                return moment, total_of(counted)
            continue
        present = {file.path for file in files.files}
        return moment, total_of({path: rows for path, rows in counted.items() if path in present})
    raise StorageError("verify history", "the lake changes faster than it is read", "try again")


def _moment(journal: Path, lake: Path) -> _Moment:
    for _ in range(TRIES):
        snapshot = take_snapshot(journal)
        tables = {spec.name: look(lake, spec) for spec in (READINGS, *ROLLUPS)}
        offset = tables[READINGS.name].offset
        grown = readings_between(journal, snapshot.archived, offset)
        if grown is not None:
            with (
                suppress(FileNotFoundError),
                closing(Quarantine(journal / "quarantine.db")) as quarantine,
            ):
                retired = read_retired(lake, tables[READINGS.name].retired)
                return _Moment(snapshot, tables, grown, quarantine.list(), retired)
    cause = "the journal is trimmed, or retention goes on, as fast as it is read"
    raise StorageError("verify history", cause, "try again")


def _compare_journal(snapshot: Snapshot, chain: Chain, verdict: Verdict) -> None:
    """The ledger's counts against the blocks that are there."""
    for key, told in _tallied(snapshot).items():
        found, name = chain.counts.get(key, (0, 0, 0, 0)), _named(key)
        waiting = (told[0] - told[2], told[1] - told[3])
        if found[2:] != waiting and not chain.is_partial:
            verdict.blame(f"{name}: {found[2]} blocks wait for the lake, the ledger says {waiting}")
        if snapshot.oldest == 1 and found[:2] != told[:2] and not chain.is_partial:
            verdict.blame(f"{name}: the journal holds {found[:2]}, the ledger says {told[:2]}")
        verdict.journalled += told[1]
    strays = chain.counts.keys() - _tallied(snapshot).keys()
    for key in sorted(strays - {k for k in strays if (k[0], EARLIER) in _tallied(snapshot)}):
        verdict.blame(f"{_named(key)}: the ledger does not know of its blocks")


def _compare_lake(moment: _Moment, rows: Counter[Key], chain: Chain, verdict: Verdict) -> None:
    """Promise 7."""
    snapshot, released = moment.snapshot, moment.tables[READINGS.name].released
    if moment.offset < snapshot.archived:
        verdict.blame(f"the lake ends at {moment.offset}, {snapshot.archived} blocks are archived")
    due: Counter[Key] = Counter({key: told[3] for key, told in _tallied(snapshot).items()})
    for key, readings in moment.grown.items():
        due[_home(snapshot, key)] += readings
    verdict.archived = due.total()
    for block in moment.apart:
        if 0 < block.offset <= moment.offset and not _is_released(block, released):
            due[_home(snapshot, (block.gateway, block.epoch))] -= block.readings
            verdict.quarantined += block.readings
    for (offset, key), readings in chain.erased.items():
        if offset <= moment.offset:
            due[_home(snapshot, key)] -= readings
            verdict.erased += readings
    for key, readings in moment.retired.by_epoch().items():
        due[_home(snapshot, key)] -= readings
        verdict.retired += readings
    for key, readings in moment.retired.erased_by_epoch().items():
        due[_home(snapshot, key)] -= readings
        verdict.erased += readings
    found: Counter[Key] = Counter()
    for key, count in rows.items():
        found[_home(snapshot, key)] += count
    verdict.in_lake = found.total()
    for key in sorted(due.keys() | found.keys()):
        if found[key] != due[key]:
            told = f"the lake holds {found[key]:,} readings, the ledger says {due[key]:,}"
            verdict.blame(f"{_named(key)}: {told}")


def _tallied(snapshot: Snapshot) -> dict[Key, tuple[int, int, int, int]]:
    return {
        (gateway, epoch): (c.blocks, c.readings, c.archived_blocks, c.archived_readings)
        for gateway, tally in _tallies(snapshot)
        for epoch, c in tally.epochs.items()
    }


def _tallies(snapshot: Snapshot) -> Iterator[tuple[str, Tally]]:
    for gateway, standing in snapshot.standing.items():
        yield gateway, standing.tally


def _home(snapshot: Snapshot, key: Key) -> Key:
    """The key under which the ledger counts an epoch that is too old to be told apart."""
    standing = snapshot.standing.get(key[0])
    epochs = standing.tally.epochs if standing else {}
    return (key[0], EARLIER) if EARLIER in epochs and key[1] not in epochs else key


def _is_released(block: Quarantined, ticket: int) -> bool:
    moving = block.state in (State.RELEASING, State.RELEASED)
    return moving and block.ticket <= ticket


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _named(key: Key) -> str:
    return f"{key[0]} epoch {key[1]}" if key[1] != EARLIER else f"{key[0]} earlier epochs"
