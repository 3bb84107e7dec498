"""Times put right in tables: what a correction says of rows that are in the lake already.

Rows that come with or after a correction are put right as they are decoded (`settled`). For those
before it, each table is mended in the order of the commits: `readings` file by file; each rollup by
making the days anew that readings left or came to, from `readings` or the next finer rollup;
`anomalies` by looking up the reading each is about. Every commit leaves a state from which the same
steps go on, for a reading is moved once; when all are done the table says up to which offset
(`LakeTable.mark_corrected`), so that a crash at any step costs the steps alone.

Where nothing moves, nothing is made anew. While no mending was cut short, the days are those that
`readings` were seen to leave and come to. After that they are told by what the disk holds: rows
that are corrected by now, within what the corrections lead to; these are more, never fewer.

Any gateway may send any number of corrections. So many of one are carried out in a pass, the others
in the passes after it; so many are known of it ever, and those over it are counted and told.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from cloud.lake.correct_anomalies import mend_anomalies
from cloud.lake.correction import (
    KNOWN_MAX,
    Correction,
    Ints,
    Known,
    Moves,
    apart,
    coded,
    corrections_of,
    moved,
    moves_of,
    settled,
    spans_of,
    within,
)
from cloud.lake.days import ROWS_AT_ONCE, make_days_anew
from cloud.lake.embedded import Decoded
from cloud.lake.mend import near, pieces_of, replace, rows_of
from cloud.lake.table.files import DataFile
from cloud.lake.table.parquet import times
from cloud.lake.table.schema import (
    ANOMALIES,
    CORRECTIONS,
    READINGS,
    ROLLUPS,
    is_whole,
)
from cloud.lake.table.sweep import Sweeper
from cloud.lake.table.table import LakeTable, Piece
from cloud.retention.retired import read_retired
from cloud.retention.rules import Hulls
from cloud.rollup.partials import DAY_US, bucket_of
from protos.records import Quality

PER_PASS_MAX: Final = 1024
"""Corrections of one gateway that are carried out in a pass; one comes with a boot without a clock,
and what a gateway kept of an outage of a month with a boot in every hour still fits."""

_COLUMNS: Final = ("gateway", "ts", "quality", "lag_us")
_log = logging.getLogger(__name__)

Days = Mapping[str, Ints]
"""Beginnings of days, each once and in order, by gateway."""


class Corrector:
    """Knows the corrections, and mends tables by them; for the consolidator's thread alone."""

    def __init__(
        self,
        sweeper: Sweeper,
        rows_at_once: int = ROWS_AT_ONCE,
        per_pass: int = PER_PASS_MAX,
    ) -> None:
        self.refused = 0
        """Corrections over `KNOWN_MAX` that came since the lake was opened, or lay in it then."""
        self.is_behind = False
        """Whether the last `carry_out` left corrections for the next."""
        self._sweeper = sweeper
        self._rows_at_once = rows_at_once
        self._per_pass = per_pass
        self._known = Known()
        self._carried = Known()
        self._is_sure = False
        """No mending was cut short: all that was moved is in the rollups too."""

    def open(self, tables: Mapping[str, LakeTable]) -> None:
        """Know what the table `corrections` holds, and how far it was carried out."""
        files = tables[CORRECTIONS.name].state.files.files
        fresh = {file.path for file in _fresh(files, _mended(tables))}
        old = [file for file in files if file.path not in fresh]
        self._known, self._carried = Known(), Known().plus(_read(old, tables))
        self.refused, self._is_sure = 0, False
        self._learn([*_read(files, tables)])

    def settle(self, decoded: Decoded) -> Decoded:
        """These rows at their true times, by every correction so far and by their own."""
        self._learn(corrections_of(decoded.tables.get(CORRECTIONS.name)))
        return settled(decoded, self._known)

    def carry_out(self, tables: Mapping[str, LakeTable]) -> bool:
        """Mend the tables by the corrections that have come since; whether there were any.

        All tables stand at one offset. Raises as `LakeTable.append`.
        """
        files = tables[CORRECTIONS.name].state.files.files
        offset = max((file.end for file in files if not file.is_release), default=0)
        ticket = max((file.ticket for file in files), default=0)
        behind = [
            table
            for table in _mended(tables)
            if table.state.corrected[0] < offset or table.state.corrected[1] < ticket
        ]
        found, is_behind = self._next([*_read(_fresh(files, behind), tables)])
        was_sure, self._is_sure = self._is_sure, False
        if found:
            self._mend(tables, behind, found, is_sure=was_sure)
        if not is_behind:
            for table in behind:
                done = table.state.corrected
                table.mark_corrected(max(offset, done[0]), max(ticket, done[1]))
        self._carried = self._carried.plus(found)
        self.is_behind, self._is_sure = is_behind, was_sure or not is_behind
        return bool(found)

    def _learn(self, told: Sequence[Correction]) -> None:
        self._known = self._known.plus(told)
        names = {(one.gateway, one.tag) for one in told} - self._known.found.keys()
        if names:
            self.refused += len(names)
            for gateway, count in Counter(gateway for gateway, _ in names).items():
                text = "%d corrections of times of %s are over the %d that are known of a gateway"
                _log.warning(f"{text}: they correct nothing", count, gateway, KNOWN_MAX)

    def _next(self, fresh: Sequence[Correction]) -> tuple[list[Correction], bool]:
        """What is carried out now, and whether more is left; what was carried out is not again."""
        found: list[Correction] = []
        count: Counter[str] = Counter()
        for name in dict.fromkeys((one.gateway, one.tag) for one in fresh):
            if name in self._known.found and name not in self._carried.found:
                count[name[0]] += 1
                if count[name[0]] <= self._per_pass:
                    found.append(self._known.found[name])
        return found, count.total() > len(found)

    def _mend(
        self,
        tables: Mapping[str, LakeTable],
        behind: Sequence[LakeTable],
        found: Sequence[Correction],
        *,
        is_sure: bool,
    ) -> None:
        finer = readings = tables[READINGS.name]
        hulls = read_retired(readings.folder.parent, readings.state.retired).hulls
        days = self._mend_readings(readings, found) if readings in behind else {}
        if not is_sure:
            days = _days_on_disk(readings, found)
        for table in (tables[spec.name] for spec in ROLLUPS):
            if table in behind:
                self._mend_rollup(table, finer, days, hulls)
            if is_whole(table.spec):
                finer = table
        anomalies = tables[ANOMALIES.name]
        if anomalies in behind and days:
            mend_anomalies(anomalies, readings, found, self._sweeper)

    def _mend_readings(self, table: LakeTable, found: Sequence[Correction]) -> Days:
        """The days that rows left and came to."""
        known = Known().plus(found)
        seen: dict[str, list[Ints]] = {}
        for file in near(table, spans_of(found, 0)):
            moves = moves_of(keys := rows_of(table, file, _COLUMNS), known)
            if moves.rows.any():
                for gateway, days in _days_of(keys, moves).items():
                    seen.setdefault(gateway, []).append(days)
                rows = rows_of(table, file)
                stay = rows.filter(pa.array(~moves.rows))
                gone = moved(rows, moves).filter(pa.array(moves.rows))
                span = (file.start, file.end)
                pieces = [Piece(stay, file.period, *span), *pieces_of(gone, table, *span)]
                replace(table, [file], pieces, self._sweeper)
        return _united(seen)

    def _mend_rollup(self, table: LakeTable, finer: LakeTable, days: Days, hulls: Hulls) -> None:
        for gateway in sorted(days):
            spans = [(day, day + DAY_US - 1) for day in days[gateway].tolist()]
            make_days_anew(table, finer, gateway, spans, self._sweeper, self._rows_at_once, hulls)


def _mended(tables: Mapping[str, LakeTable]) -> list[LakeTable]:
    return [tables[spec.name] for spec in (READINGS, *ROLLUPS, ANOMALIES)]


def _fresh(files: Sequence[DataFile], behind: Sequence[LakeTable]) -> list[DataFile]:
    """Files of `corrections` that not all of these tables have been mended by.

    Those of releases keep their names: merges leave them, and nothing else rewrites the table while
    any of it waits to be carried out.
    """
    done = [table.state.corrected for table in behind]
    low = [min((each[at] for each in done), default=0) for at in (0, 1)]
    return [file for file in files if behind and (file.ticket or file.end) > low[file.is_release]]


def _read(files: Iterable[DataFile], tables: Mapping[str, LakeTable]) -> Iterator[Correction]:
    for file in sorted(files, key=lambda one: (one.start, one.path)):
        yield from corrections_of(rows_of(tables[CORRECTIONS.name], file))


def _days_of(rows: pa.Table, moves: Moves) -> dict[str, Ints]:
    """The days that the rows which move leave and come to, by gateway."""
    codes, names = coded(rows["gateway"])
    codes, ts, by = codes[moves.rows], times(rows["ts"])[moves.rows], moves.by[moves.rows]
    found: dict[str, Ints] = {}
    for code in np.unique(codes).tolist():
        mine = codes == code
        both = np.concatenate([ts[mine], ts[mine] + by[mine]])
        found[names[code]] = np.unique(bucket_of(both, DAY_US))
    return found


def _days_on_disk(readings: LakeTable, found: Sequence[Correction]) -> Days:
    """The days that corrected rows came to, where one of these may have led, and may have left."""
    spans = {gateway: apart(each) for gateway, each in spans_of(found, 1).items()}
    came: dict[str, list[Ints]] = {}
    for file in near(readings, spans_of(found, 1)):
        rows = rows_of(readings, file, ("gateway", "ts", "quality"))
        done = rows["quality"].to_numpy() == int(Quality.GATEWAY_CORRECTED)
        codes, names = coded(rows["gateway"])
        ts = times(rows["ts"])
        for code in np.unique(codes[done]).tolist():
            if names[code] in spans:
                mine = ts[done & (codes == code)]
                mine = mine[within(mine, *spans[names[code]])]
                came.setdefault(names[code], []).append(np.unique(bucket_of(mine, DAY_US)))
    days = {gateway: each for gateway, each in _united(came).items() if len(each)}
    seen = {gateway: [each] for gateway, each in days.items()}
    for one in found:
        if one.gateway in days:
            first, last = one.spans[1]
            low, high = np.searchsorted(days[one.gateway], [first - DAY_US + 1, last + 1])
            here = days[one.gateway][low:high] - one.offset_us
            ends = np.clip(np.concatenate([here, here + DAY_US - 1]), one.from_us, one.to_us)
            seen[one.gateway].append(np.unique(bucket_of(ends, DAY_US)))
    return _united(seen)


def _united(seen: Mapping[str, Sequence[Ints]]) -> dict[str, Ints]:
    return {gateway: np.unique(np.concatenate(each)) for gateway, each in seen.items()}
