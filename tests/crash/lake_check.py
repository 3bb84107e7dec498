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
from deltalake import DeltaTable

from cloud.lake.table.schema import READINGS, TABLES
from cloud.lake.table.state import APP
from cloud.lake.vacuum import vacuum
from cloud.rollup.partials import DAY_US
from cloud.verify.whole import verify
from tests.crash.lake_story import Row, Sort, Story, place

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
    """What is wrong, by kind: lost, doubled, foreign, wrong, unreadable, orphans, unequal."""

    problems: list[tuple[str, str]] = field(default_factory=list)
    rows: int = 0

    def blame(self, kind: str, text: str) -> None:
        """One thing that is wrong."""
        self.problems.append((kind, text))


def readable(lake: Path, story: Story, upto: int) -> Found:
    """A lake that nobody recovered since a process died; its clock stood at block ``upto``."""
    found = Found()
    paths, offsets = _open_all(lake, found)
    if READINGS.name in offsets and not found.problems:
        now_us = story.now_us(upto)
        _compare(paths[READINGS.name], story, offsets[READINGS.name], now_us, found, strict=False)
    return found


def whole(home: Path, story: Story, upto: int, *, verifies: bool = True) -> Found:
    """A home that was recovered, and closed with nothing left to do."""
    found, lake = Found(), home / "lake"
    vacuum(lake, 0.0, time.time() + 1.0)
    paths, offsets = _open_all(lake, found)
    if found.problems:
        return found
    if offsets[READINGS.name] != upto:
        found.blame("unequal", f"readings stand at {offsets[READINGS.name]} of {upto}")
    now_us = story.now_us(upto)
    rows = _compare(paths[READINGS.name], story, upto, now_us, found, strict=True)
    _compare_days(paths["rollup_1d"], story, rows, upto, now_us, found)
    _compare_rare(paths, story, upto, found)
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


def _open_all(lake: Path, found: Found) -> tuple[dict[str, list[str]], dict[str, int]]:
    paths: dict[str, list[str]] = {}
    offsets: dict[str, int] = {}
    for name in TABLES:
        if not any((lake / name / "_delta_log").glob("[0-9]*")):
            continue
        try:
            handle = DeltaTable(str(lake / name))
            paths[name] = sorted(path.removeprefix("file://") for path in handle.file_uris())
            offsets[name] = handle.transaction_version(APP) or 0
            counts = set(_counts(lake / name, handle, paths[name]))
            if len(counts) > 1:
                found.blame("unreadable", f"{name}: engines count {counts}")
        except Exception as error:  # noqa: BLE001 - whatever an engine says of a table it cannot open
            found.blame("unreadable", f"{name}: {type(error).__name__}: {str(error)[:200]}")
    return paths, offsets


def _counts(table: Path, handle: DeltaTable, paths: list[str]) -> Iterator[int]:
    yield handle.to_pyarrow_dataset().count_rows()
    yield int(polars.scan_delta(str(table)).select("ts").collect().height)
    yield len(_select(paths, "ts"))


def _select(paths: list[str], columns: str) -> list[tuple[object, ...]]:
    if not paths:
        return []
    sql = f"SELECT {columns} FROM read_parquet(?, hive_partitioning=false)"
    return duckdb.sql(sql, params=[paths]).fetchall()


def _compare(
    paths: list[str], story: Story, offset: int, now_us: int, found: Found, *, strict: bool
) -> dict[Key, Place]:
    """Rows of `readings` against the story; those that are there."""
    expected = story.expected(offset)
    counts: Counter[Key] = Counter()
    places: dict[Key, Place] = {}
    for gateway, seq, metric, value, text, ts, quality, lag in _select(paths, _ROWS):
        key = (str(gateway), int(str(seq)), str(metric), str(text if value is None else value))
        counts[key] += 1
        places[key] = (int(str(ts)), int(str(quality)), int(str(lag)))
    for key in counts.keys() - expected.keys():
        found.blame("foreign", f"{key}")
    for key, row in expected.items():
        fault = _fault(row, counts[key], places.get(key), story, now_us, strict=strict)
        if fault:
            found.blame(*fault)
    found.rows = counts.total()
    return places


def _fault(
    row: Row, count: int, at: Place | None, story: Story, now_us: int, *, strict: bool
) -> tuple[str, str] | None:
    is_aged = row.is_aged(now_us)
    if count > 1:
        return "doubled", f"{row.key} of block {row.block} is there {count} times"
    if at is None:
        waits = not strict and story.sort(row.block) is Sort.REFUSED
        return None if is_aged or waits else ("lost", f"{row.key} of block {row.block}")
    if strict and is_aged:
        return "aged", f"{row.key} of block {row.block} is there"
    forms = (row.right,) if strict else (row.stamped, row.right)
    return None if at in forms else ("wrong", f"{row.key} is {at}, not {forms}")


def _compare_days(
    paths: list[str], story: Story, rows: dict[Key, Place], upto: int, now_us: int, found: Found
) -> None:
    """Counts and bounds of the rollup of days; not of days that retention took readings of."""
    due: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for (gateway, _, metric, told), (ts, *_) in rows.items():
        due[gateway, metric, ts - ts % DAY_US].append(0.0 if metric == "metric-3" else float(told))
    for row in story.expected(upto).values():
        if row.is_aged(now_us):
            due.pop((row.key[0], row.metric, row.right[0] - row.right[0] % DAY_US), None)
    is_there: dict[tuple[str, str, int], tuple[object, ...]] = {}
    if paths:
        tables = duckdb.read_parquet(paths, hive_partitioning=False)
        for gateway, metric, ts, count, low, high in tables.query("found", _DAYS).fetchall():
            is_there[gateway, metric, ts] = (count, low, high)
    for key, values in due.items():
        told = is_there.get(key, ())
        right = (len(values), min(values), max(values))
        if told != right and (
            key[1] != "metric-3" or told[:1] != right[:1]
        ):  # a text has no bounds
            found.blame("unequal", f"the day {key}: {told}, not {right}")


def _compare_rare(paths: dict[str, list[str]], story: Story, upto: int, found: Found) -> None:
    """Anomalies, gaps and corrections: each once."""
    blocks = [n for n in range(1, upto + 1) if story.sort(n) is not Sort.POISON]
    due = {
        "anomalies": [(*place(n), float(n)) for n in blocks if n % 3 == 0],
        "gaps": [(*place(n), n) for n in blocks if n % 5 == 0],
        "corrections": [(*place(n), 10_000_000) for n in blocks if story.corrects(n)],
    }
    columns = {"anomalies": "value", "gaps": "count", "corrections": "mono_from"}
    for name, rows in due.items():
        there = _select(paths.get(name, []), f'gateway, seq, "{columns[name]}"')
        if sorted(there) != sorted(rows):
            found.blame("unequal", f"{name}: {len(there)} rows, not {len(rows)}")
