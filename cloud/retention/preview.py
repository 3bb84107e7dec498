"""What retention would remove now; or that, at once, of a cloud that is stopped."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from cloud.errors import StorageError
from cloud.lake.alone import alone, check_there
from cloud.lake.embedded import no_pause
from cloud.lake.lock import take_lock
from cloud.lake.table.schema import READINGS, ROLLUP_1D, ROLLUPS, TableSpec
from cloud.lake.table.state import look
from cloud.lake.table.sweep import Sweeper
from cloud.retention.removal import Retention, believed_us, look_at
from cloud.retention.retired import retired_now
from cloud.retention.rules import Retired, Rules
from cloud.rollup.partials import DAY_US

TRIES: Final = 10
_NAMED: Final = ["series", "gateway", "device", "metric"]

Told = Callable[[str, int, int], None]
"""Told what is looked at, how far, of how much."""


@dataclass(slots=True)
class Preview:
    """Rows past their age as of ``now_us``, by the name of their rule; what was removed before.

    ``now_us`` is the clock's time, or that of the newest reading if it is earlier. ``series``: of
    how many in the tables a rule decides. ``nearest``: a name to a pattern that fits none of them.
    """

    now_us: int = 0
    readings: Counter[str] = field(default_factory=Counter)
    rollups: Counter[str] = field(default_factory=Counter)
    removed: int = 0
    series: Counter[str] = field(default_factory=Counter)
    nearest: dict[str, str] = field(default_factory=dict)

    @property
    def due(self) -> int:
        """Rows past their age, in all."""
        return self.readings.total() + self.rollups.total()

    def as_json(self, rules: Rules) -> dict[str, Any]:
        """For machines; the time in ISO 8601, None where there is no reading."""
        told = [
            {
                "name": rule.name,
                "series": rule.pattern,
                "series_decided": self.series[rule.name],
                "nearest": self.nearest.get(rule.name, ""),
                "readings_days": rule.readings_us // DAY_US,
                "rollups_days": rule.rollups_us // DAY_US,
                "readings": self.readings[rule.name],
                "rollup_rows": self.rollups[rule.name],
            }
            for rule in rules.rules
        ]
        as_of = f"{np.datetime64(self.now_us, 'us').astype('M8[s]')}Z" if self.now_us > 0 else None
        return {"as_of": as_of, "rules": told, "removed_before": self.removed}


def preview(lake: Path, rules: Rules, now_us: int, told: Told) -> Preview:
    """Count what is past its age; reads only, beside a running cloud or without one.

    Raises:
        OperatorError: there is no lake.
        StorageError: a file cannot be read, or the lake changes faster than it is read.
    """
    check_there(lake, f"look at the lake {lake}")
    retired = retired_now(lake)
    found = Preview(believed_us(look(lake, READINGS).files, now_us), removed=retired.total)
    if rules.rules:
        _match(_names(lake), rules, found)
    for spec in (READINGS, *ROLLUPS):
        retired = _count(lake, spec, rules, retired, found, told)
    return found


def check_stopped(lake: Path) -> None:
    """OperatorError when there is no lake, or its cloud is running."""
    check_there(lake, f"look at the lake {lake}")
    os.close(take_lock(lake, f"remove old history from the lake {lake}"))


def carry_out(lake: Path, rules: Rules, now_us: int, due: int, told: Told) -> int:
    """Remove what is past its age of a cloud that is stopped; how many rows left, durably.

    ``due``: how many will, by `preview`.

    Raises:
        OperatorError: there is no lake, or a cloud is running.
        StorageError: a table cannot be read, the tables are not level, or the disk refuses.
    """
    removed = 0
    with alone(lake, f"remove old history from the lake {lake}") as tables:
        retention, sweeper = Retention(rules, lambda: now_us), Sweeper(grace_s=0.0)
        retention.open(tables[READINGS.name])
        while (left := retention.carry_out([*tables.values()], sweeper)) or retention.is_looking:
            removed += left
            sweeper.sweep(frozenset())
            told("rows that left", removed, due)
    return removed


def _match(names: Mapping[int, str], rules: Rules, to: Preview) -> None:
    """Of how many series each rule decides; for one that fits none, what it may have meant."""
    to.series.update(rules.rule(series, path).name for series, path in names.items())
    known = sorted(set(names.values()))
    for rule in rules.rules:
        near = get_close_matches(rule.pattern, known, 1, 0.4)
        if near and not Rules([rule]).fits(known):
            to.nearest[rule.name] = near[0]


def _names(lake: Path) -> dict[int, str]:
    """`gateway/device/metric` of each series that has a day in the tables, by its id."""
    for _ in range(TRIES):
        names: dict[int, str] = {}
        files = look(lake, ROLLUP_1D).files
        try:
            for file in files.files:
                held = pq.read_table(files.path(file), columns=_NAMED, partitioning=None)
                for row in held.group_by(_NAMED).aggregate([]).to_pylist():
                    names[row["series"]] = f"{row['gateway']}/{row['device']}/{row['metric']}"
        except FileNotFoundError:  # replaced meanwhile
            continue
        return names
    raise StorageError(
        "read names of series", "the tables change faster than they are read", "try again"
    )


def _count(
    lake: Path, spec: TableSpec, rules: Rules, retired: Retired, to: Preview, told: Told
) -> Retired:
    """Count one table; what would be removed then."""
    keep = rules.shortest_us(rollups=spec is not READINGS)
    for _ in range(TRIES if keep else 0):
        files, counts, after = look(lake, spec).files, Counter[str](), retired
        old = [file for file in files.files if file.ts_min + keep <= to.now_us]
        try:
            for done, file in enumerate(old):
                told(spec.name, done, len(old))
                path = Path(files.path(file))
                found = look_at(path, spec, rules, retired, to.now_us, no_pause)
                counts.update(found.of)
                if spec is READINGS:
                    after = after.after(found.rows, found.hulls)
        except StorageError:
            if look(lake, spec).files.version == files.version:
                raise
            continue
        (to.readings if spec is READINGS else to.rollups).update(counts)
        return after
    if keep:
        raise StorageError(f"count {spec.name}", "it changes faster than it is read", "try again")
    return retired
