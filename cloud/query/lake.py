"""One series in the tables: its readings, or partials of them from the rollup that has them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

import numpy as np
import pyarrow as pa

from cloud.lake.names import Name
from cloud.lake.rollup import partials_of, readings_of
from cloud.lake.table.files import DataFile
from cloud.lake.table.parquet import times
from cloud.lake.table.schema import READINGS, ROLLUP_1H, TableSpec, is_whole
from cloud.live.view import View
from cloud.query.columns import COLUMNS, ROWS_AT_ONCE, SAID, Told, columns_of
from cloud.query.files import FoundRows, SeriesFiles
from cloud.query.index import INDEX_BYTES_MAX, FileIndex
from cloud.query.pages import Stretch
from cloud.rollup import partials as rollup
from cloud.rollup.partials import HOUR_US, Ints, Partials, Readings, bucket_of

FILES_AT_ONCE: Final = 64
"""Files that a question has open."""


class LakeReader:
    """Asks the tables of a view; any thread may."""

    def __init__(self, index_bytes_max: int = INDEX_BYTES_MAX) -> None:
        self._files = SeriesFiles(index_bytes_max)

    @property
    def index(self) -> FileIndex:
        """What is known of the tables' files."""
        return self._files.index

    def readings(
        self, view: View, name: Name, start: int, end: int, limit: int, *, origin: bool
    ) -> list[pa.Table]:
        """The first ``limit`` readings in [start, end) and perhaps some behind them.

        In one table if they stand in order, else one for each file, each in order of time, then
        arrival; files that begin behind the limit are not opened. ``origin``: with `epoch` and
        `seq`, which are there too where two files have readings of one time.
        """
        columns = COLUMNS[READINGS.name] if origin else SAID
        found: list[FoundRows] = []
        ts = np.empty(0, np.int64)
        for some in self._some(view, READINGS, name, (start, end), min(limit, ROWS_AT_ONCE)):
            if len(ts) >= limit and np.partition(ts, limit - 1)[limit - 1] < some.files[0].ts_min:
                break
            found.append(self._files.rows(some.places, start, end, columns))
            ts = np.concatenate([ts, times(found[-1].rows["ts"])])
        steps = np.diff(ts)
        if bool((steps > 0).all()):
            return [pa.concat_tables([each.rows for each in found])] if len(ts) else []
        parts = [rows for each in found for rows in each.by_file()]
        if not origin and len(parts) > 1 and not np.diff(np.sort(ts, kind="stable")).all():
            return self.readings(view, name, start, end, limit, origin=True)
        return parts

    def kept(
        self, view: View, tier: TableSpec, name: Name, span: tuple[int, int], told: Told
    ) -> Partials | None:
        """The series' rows of a rollup; None where it does not account for all its readings."""
        if is_whole(tier):
            return self._of_tier(view, tier, name, span, told)
        start, end = span
        span_us = (start - start % HOUR_US, end + -end % HOUR_US)
        found = self._of_tier(view, tier, name, span_us, told)
        if not len(found):
            return None
        whole = self._of_tier(view, ROLLUP_1H, name, span_us, Told(ends=False))
        if found.count.sum() != whole.count.sum():
            return None
        return rollup.take(found, (found.bucket >= start) & (found.bucket < end))

    def in_hours(
        self, view: View, tier: TableSpec, name: Name, span: tuple[int, int], told: Told
    ) -> tuple[Partials, Ints]:
        """The rows of a rollup in those hours that it accounts for, and these hours."""
        start, end = span
        span_us = (start - start % HOUR_US, end + -end % HOUR_US)
        found = self._of_tier(view, tier, name, span_us, told)
        hours = bucket_of(found.bucket, HOUR_US)
        own: Counter[int] = Counter()
        for hour, count in zip(hours.tolist(), found.count.tolist(), strict=True):
            own[hour] += count
        whole = self._of_tier(view, ROLLUP_1H, name, span_us, Told(ends=False))
        for hour, count in zip(whole.bucket.tolist(), whole.count.tolist(), strict=True):
            own[hour] -= count
        known = np.array(sorted(hour for hour, lacking in own.items() if not lacking), np.int64)
        mine = np.isin(hours, known) & (found.bucket >= start) & (found.bucket < end)
        return rollup.take(found, mine), known

    def together(
        self,
        view: View,
        tier: TableSpec,
        names: Sequence[Name],
        span: tuple[int, int],
        told: Told,
    ) -> Mapping[int, Partials]:
        """By series what `kept` tells of each, which is read at once.

        Of as many of the first ones as have `Told.rows_at_once` rows and lie in FILES_AT_ONCE
        files.
        """
        if not is_whole(tier):
            return {}
        places: list[list[Stretch]] = []
        taken: list[tuple[Name, int]] = []
        rows, files, most = 0, set[str](), told.rows_at_once(tier)
        for name in names:
            own = [one for some in self._some(view, tier, name, span, most) for one in some.places]
            rows += sum(one.end - one.start for place in own for one in place)
            files.update(place[0].file.path for place in own)
            if rows > most or len(files) > FILES_AT_ONCE:
                break
            places += own
            taken.append((name, len(own)))
        begins = set(np.cumsum([count for _, count in taken]).tolist())
        found = self._files.rows(places, *span, columns_of(tier, told, begins))
        held = _with_kinds(found, taken)
        every, made, at = partials_of(held), {}, 0
        for name, count in taken:
            part = np.arange(found.starts[at], found.starts[at + count])
            made[name.id] = _named(name, rollup.take(every, part), found.rows)
            at += count
        return made

    def _of_tier(
        self, view: View, tier: TableSpec, name: Name, span: tuple[int, int], told: Told
    ) -> Partials:
        found: list[Partials] = []
        for some in self._some(view, tier, name, span, told.rows_at_once(tier)):
            # What is read later may have rows of the same bucket.
            told = told if not found and some.is_all else told.with_ends
            rows = self._files.rows(some.places, *span, columns_of(tier, told, set())).rows
            found.append(_named(name, partials_of(rows, name.kind), rows))
        return rollup.concat(found)

    def pieces(
        self, view: View, name: Name, start: int, end: int
    ) -> Iterator[tuple[int, Readings]]:
        """The readings in [start, end), those of a file together; with the offset where it begins.

        As many at a time as ROWS_AT_ONCE.
        """
        for some in self._some(view, READINGS, name, (start, end), ROWS_AT_ONCE):
            found = self._files.rows(some.places, start, end, SAID)
            for number, file in enumerate(some.files):
                rows = found.of_file(number)
                if rows is not None:
                    series = pa.array(np.full(rows.num_rows, name.id, np.int64))
                    rows = rows.append_column("series", series)
                    yield file.start, readings_of(rows, name.kind)

    def _some(
        self, view: View, spec: TableSpec, name: Name, span: tuple[int, int], rows: int
    ) -> Iterator["_Some"]:
        """The files that hold the series in a range of time, in order of their times.

        So many at a time that they have ``rows`` of it, or the last of them brings that many.
        """
        some = _Some([], [], is_all=True)
        held = 0
        for file in _in_time(view, spec, name, *span):
            if held >= rows or len(some.files) == FILES_AT_ONCE:
                yield replace(some, is_all=False)
                some, held = _Some([], [], is_all=False), 0
            place = self._files.find(view.tables[spec.name].path(file), name, *span)
            if place:
                some.files.append(file)
                some.places.append(place)
                held += sum(one.end - one.start for one in place)
        if some.files:
            yield some


@dataclass(frozen=True, slots=True)
class _Some:
    """Files that hold a series, and where it stands in each; whether they are all that do."""

    files: list[DataFile]
    places: list[list[Stretch]]
    is_all: bool


def _with_kinds(found: FoundRows, taken: Sequence[tuple[Name, int]]) -> pa.Table:
    """Rows of several series, so many files of each, with their kinds if they tell of states."""
    if "states" not in found.rows.column_names:
        return found.rows
    ends = accumulate((count for _, count in taken), initial=0)
    rows = np.diff([found.starts[end] for end in ends])
    kinds = np.repeat(np.array([name.kind for name, _ in taken], np.int8), rows)
    return found.rows.append_column("kind", pa.array(kinds))


def _named(name: Name, partials: Partials, rows: pa.Table) -> Partials:
    """Partials of one series from rows that do not name it, nor perhaps tell of their ends."""
    whole = np.zeros(len(partials), np.int64)
    partials = replace(partials, series=whole + name.id)
    if "first_ts" in rows.column_names:
        return partials
    at, quality = partials.bucket, whole.astype(np.uint8)
    return replace(partials, first_ts=at, last_ts=at, last_quality=quality, part=whole)


def _in_time(view: View, spec: TableSpec, name: Name, start: int, end: int) -> list[DataFile]:
    near = view.tables[spec.name].near(start, end, (name.gateway, name.device))
    return sorted(near, key=lambda file: (file.ts_min, file.start))


class ReadAhead(LakeReader):
    """A reader for one answer; of several series it knows what `LakeReader.kept` would read."""

    def __init__(
        self, lake: LakeReader, tier: TableSpec, span: tuple[int, int], told: Told,
        known: Mapping[int, Partials],
    ) -> None:  # fmt: skip
        self._files = lake._files
        self._asked = tier, span, told
        self._known = known

    def kept(
        self, view: View, tier: TableSpec, name: Name, span: tuple[int, int], told: Told
    ) -> Partials | None:
        """As `LakeReader.kept`."""
        held_tier, held_span, held = self._asked
        is_held = (tier, span, told.more) == (held_tier, held_span, held.more)
        is_held = is_held and (held.ends or not told.ends)
        known = self._known.get(name.id) if is_held else None
        return known if known is not None else super().kept(view, tier, name, span, told)
