"""What the tables of a story must hold, found with the engines that people use.

`readable` is for a lake as a killed process left it: every table opens in three engines, which
agree, and `readings` has exactly the rows of the blocks up to its own offset. `whole` is for one
that had time to recover: all of the story, in its right form, and no file too many.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb
import polars
import pyarrow as pa
from deltalake import DeltaTable

from cloud.lake.table.schema import READINGS, TABLES
from cloud.lake.table.state import APP
from cloud.lake.vacuum import vacuum
from cloud.retention.order import Order
from cloud.retention.retired import retired_now
from cloud.rollup.partials import DAY_US
from cloud.verify.whole import verify
from tests.crash.lake_story import Row, Sort, Story, has_lost_scores, place

Key = tuple[str, int, str, str]
Place = tuple[int, int, int]
OURS: Final = ("_delta_log", "floors", "retired")
OUR_FILES: Final = ("lock", "attempt.lock", "attempt.json", "killers.json")
_ROWS: Final = "gateway, seq, metric, value, text, epoch_us(ts), quality, lag_us"
_DAYS: Final = """
SELECT gateway, metric, epoch_us(ts), sum(count), min("min"), max("max") FROM found GROUP BY ALL
"""


@dataclass(slots=True)
class Found:
    """What is wrong, by kind: lost, doubled, foreign, wrong, kept, unreadable, orphans, unequal."""

    problems: list[tuple[str, str]] = field(default_factory=list)
    rows: int = 0

    def blame(self, kind: str, text: str) -> None:
        """One thing that is wrong."""
        self.problems.append((kind, text))


@dataclass(frozen=True, slots=True)
class Due:
    """What a lake must have: of a story up to a block, but for what orders erased.

    ``strict``: it was recovered, so whatever is due was done.
    """

    story: Story
    upto: int
    orders: tuple[Order, ...]
    strict: bool
    now_us: int
    left_us: int
    """The newest time of any reading, and of those that no order erased."""

    @classmethod
    def of(
        cls, lake: Path, story: Story, upto: int, erased: set[int], found: Found, *, strict: bool
    ) -> "Due":
        """Orders as the lake tells them; those that were told as ``erased`` must be among them."""
        orders = retired_now(lake).orders
        done = {one.number for one in orders if one.is_done}
        if not erased <= done or (strict and len(done) < len(orders)):
            found.blame("kept", f"orders {sorted(erased)} were carried out, {sorted(done)} are")
        left = tuple(one for one in orders if one.is_done)
        return cls(story, upto, orders, strict, story.now_us(upto), story.now_us(upto, left))

    @property
    def done(self) -> list[Order]:
        """Orders that are carried out: nothing of theirs may be there."""
        return [one for one in self.orders if one.is_done]

    def is_aged(self, row: Row) -> bool:
        """Whether retention may have removed it."""
        return row.is_aged(self.now_us)

    def is_overdue(self, row: Row) -> bool:
        """Whether retention must have: its time is that of the newest reading that is left."""
        return self.strict and row.is_aged(self.left_us)


def readable(lake: Path, story: Story, upto: int, erased: set[int], *, engines: bool) -> Found:
    """A lake that nobody recovered since a process died; its clock stood at block ``upto``."""
    found = Found()
    paths, offsets = _open_all(lake, found, engines)
    if READINGS.name in offsets and not found.problems:
        due = Due.of(lake, story, upto, erased, found, strict=False)
        _compare(paths[READINGS.name], due, offsets[READINGS.name], found)
    return found


def whole(
    home: Path, story: Story, upto: int, erased: set[int], *, verifies: bool, engines: bool
) -> Found:
    """A home that was recovered, and closed with nothing left to do."""
    found, lake = Found(), home / "lake"
    vacuum(lake, 0.0, time.time() + 1.0)
    paths, offsets = _open_all(lake, found, engines)
    if found.problems:
        return found
    if offsets[READINGS.name] != upto:
        found.blame("unequal", f"readings stand at {offsets[READINGS.name]} of {upto}")
    due = Due.of(lake, story, upto, erased, found, strict=True)
    rows = _compare(paths[READINGS.name], due, upto, found)
    _compare_days(paths["rollup_1d"], due, rows, found)
    _compare_rare(paths, due, found)
    for fault in verify(home / "journal", lake).faults if verifies else ():
        found.blame("unequal", fault)
    named = {path for each in paths.values() for path in each}
    for path in lake.rglob("*"):
        parts = path.relative_to(lake).parts
        is_ours = set(OURS) & {*parts} or parts[-1] in OUR_FILES or str(path) in named
        is_left = path.name.endswith((".torn", ".writing", ".new"))
        if path.is_file() and (is_left or not is_ours):
            found.blame("orphans", str(path.relative_to(lake)))
    return found


def _open_all(
    lake: Path, found: Found, engines: bool
) -> tuple[dict[str, list[str]], dict[str, int]]:
    paths: dict[str, list[str]] = {}
    offsets: dict[str, int] = {}
    for name in TABLES:
        if not any((lake / name / "_delta_log").glob("[0-9]*")):
            continue
        try:
            handle = DeltaTable(str(lake / name))
            paths[name] = sorted(path.removeprefix("file://") for path in handle.file_uris())
            offsets[name] = handle.transaction_version(APP) or 0
            counts = set(_counts(lake / name, handle, paths[name], engines))
            if len(counts) > 1:
                found.blame("unreadable", f"{name}: engines count {counts}")
        except Exception as error:  # noqa: BLE001 - whatever an engine says of a table it cannot open
            found.blame("unreadable", f"{name}: {type(error).__name__}: {str(error)[:200]}")
    return paths, offsets


def _counts(table: Path, handle: DeltaTable, paths: list[str], engines: bool) -> Iterator[int]:
    """Rows as the log tells them and as DuckDB reads them; by the other ``engines`` as well."""
    yield sum(pa.table(handle.get_add_actions(flatten=True))["num_records"].to_pylist())
    yield len(_select(paths, "ts"))
    if engines:
        yield handle.to_pyarrow_dataset().count_rows()
        yield int(polars.scan_delta(str(table)).select("ts").collect().height)


def _select(paths: list[str], columns: str) -> list[tuple[object, ...]]:
    if not paths:
        return []
    sql = f"SELECT {columns} FROM read_parquet(?, hive_partitioning=false)"
    return duckdb.sql(sql, params=[paths]).fetchall()


def _compare(paths: list[str], due: Due, offset: int, found: Found) -> dict[Key, Place]:
    """Rows of `readings` against the story; those that are there."""
    expected = due.story.expected(offset)
    counts: Counter[Key] = Counter()
    places: dict[Key, Place] = {}
    for gateway, seq, metric, value, text, ts, quality, lag in _select(paths, _ROWS):
        key = (str(gateway), int(str(seq)), str(metric), str(text if value is None else value))
        counts[key] += 1
        places[key] = (int(str(ts)), int(str(quality)), int(str(lag)))
    for key in counts.keys() - expected.keys():
        found.blame("foreign", f"{key}")
    for key, row in expected.items():
        fault = _fault(row, counts[key], places.get(key), due)
        if fault:
            found.blame(*fault)
    found.rows = counts.total()
    return places


def _fault(row: Row, count: int, at: Place | None, due: Due) -> tuple[str, str] | None:
    if count > 1:
        return "doubled", f"{row.key} of block {row.block} is there {count} times"
    if at is None:
        waits = not due.strict and due.story.sort(row.block) is Sort.REFUSED
        is_gone = waits or row.is_taken(due.orders) or due.is_aged(row)
        return None if is_gone else ("lost", f"{row.key} of block {row.block}")
    if due.is_overdue(row):
        return "aged", f"{row.key} of block {row.block} is there"
    if row.is_taken(due.done):
        return "kept", f"{row.key} of block {row.block} was erased"
    forms = (row.right,) if due.strict else (row.stamped, row.right)
    return None if at in forms else ("wrong", f"{row.key} is {at}, not {forms}")


def _compare_days(paths: list[str], due: Due, rows: dict[Key, Place], found: Found) -> None:
    """Counts and bounds of the rollup of days; not of days that retention took readings of."""
    held: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for (gateway, _, metric, told), (ts, *_) in rows.items():
        held[gateway, metric, ts - ts % DAY_US].append(0.0 if metric == "metric-3" else float(told))
    is_there: dict[tuple[str, str, int], tuple[object, ...]] = {}
    if paths:
        tables = duckdb.read_parquet(paths, hive_partitioning=False)
        for gateway, metric, ts, count, low, high in tables.query("found", _DAYS).fetchall():
            is_there[gateway, metric, ts] = (count, low, high)
    aged = {
        (row.key[0], row.metric, row.right[0] - row.right[0] % DAY_US)
        for row in due.story.expected(due.upto).values()
        if due.is_aged(row)
    }
    for key in (held.keys() | is_there.keys()) - aged:
        told, values = is_there.get(key, ()), held.get(key, [])
        right = (len(values), min(values, default=0.0), max(values, default=0.0))
        if told != right and (
            key[1] != "metric-3" or told[:1] != right[:1]
        ):  # a text has no bounds
            found.blame("unequal", f"the day {key}: {told}, not {right}")


def _compare_rare(paths: dict[str, list[str]], due: Due, found: Found) -> None:
    """Anomalies, gaps and corrections: each once; anomalies are erased with their series."""
    story = due.story
    blocks = [n for n in range(1, due.upto + 1) if story.sort(n) is not Sort.POISON]
    scored = [n for n in blocks if n % 3 == 0 and not has_lost_scores(n, due.done)]
    expected = {
        "anomalies": [(*place(n), float(n)) for n in scored],
        "gaps": [(*place(n), n) for n in blocks if n % 5 == 0],
        "corrections": [(*place(n), 10_000_000) for n in blocks if story.corrects(n)],
    }
    columns = {"anomalies": "value", "gaps": "count", "corrections": "mono_from"}
    for name, rows in expected.items():
        there = _select(paths.get(name, []), f'gateway, seq, "{columns[name]}"')
        if sorted(there) != sorted(rows):
            found.blame("unequal", f"{name}: {len(there)} rows, not {len(rows)}")
