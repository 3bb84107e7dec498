"""What a consolidation by command did, or would do, and how it is told."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cloud.rollup.partials import DAY_US


@dataclass(slots=True)
class Change:
    """Of one table: rows it lacked, had too often, had otherwise; of a rollup, rows made anew.

    ``bytes`` are those of the files that are replaced; not counted for rollups.
    """

    missing: int = 0
    doubled: int = 0
    different: int = 0
    anew: int = 0
    bytes: int = 0

    @property
    def is_none(self) -> bool:
        """Whether the table is as it should be."""
        return not (self.missing or self.doubled or self.different or self.anew or self.bytes)


@dataclass(slots=True)
class Recomputed:
    """Whole days as [from, to) in µs held against ``blocks`` of the journal with ``readings``.

    ``beyond``: readings of these days whose blocks the journal does not keep. ``retired``: readings
    of the blocks, of days that retention cleared, or erased. Both are left as they are. ``days``:
    how many days of gateways have their rollups made anew. ``lost``: files that could not be read.
    """

    from_us: int
    to_us: int
    blocks: int = 0
    readings: int = 0
    beyond: int = 0
    retired: int = 0
    days: int = 0
    lost: int = 0
    tables: dict[str, Change] = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.days and all(change.is_none for change in self.tables.values())


@dataclass(slots=True)
class Outcome:
    """All of it: blocks and readings that the tables lacked, and what was recomputed, if asked."""

    dry_run: bool
    blocks: int = 0
    readings: int = 0
    quarantined: int = 0
    recomputed: Recomputed | None = None

    def as_json(self) -> dict[str, Any]:
        """For machines; days as dates, None where there is no bound."""
        told = asdict(self)
        if self.recomputed is not None:
            told["recomputed"] |= {
                "from": day_of(told["recomputed"].pop("from_us")),
                "to": day_of(told["recomputed"].pop("to_us") - DAY_US),
                "same": self.recomputed.is_same,
            }
        return told

    def lines(self) -> list[str]:
        """For people."""
        verb = "would be consolidated" if self.dry_run else "were consolidated"
        lines = [f"{self.blocks:,} blocks, {self.readings:,} readings {verb}"]
        if self.quarantined:
            lines.append(f"{self.quarantined:,} blocks were set apart: `quarantine list`")
        return lines + (self._recomputed(self.recomputed) if self.recomputed else [])

    def _recomputed(self, found: Recomputed) -> list[str]:
        first, last = day_of(found.from_us), day_of(found.to_us - DAY_US)
        days = f"{first or 'the beginning'} to {last or 'the end'}"
        whole = f"{found.blocks:,} blocks of the journal, {found.readings:,} readings"
        lines = [f"{days}: compared with {whole}"]
        for name, one in found.tables.items():
            if one.anew:
                verb = "would be made anew" if self.dry_run else "made anew"
                lines.append(f"{name}: {one.anew:,} rows {verb}")
            elif not one.is_none:
                what = f"{one.missing:,} missing, {one.doubled:,} doubled, {one.different:,} other"
                lines.append(f"{name}: {what} rows; {one.bytes:,} bytes of files replaced")
        if found.lost:
            lines.append(f"{found.lost:,} files could not be read; the journal has all they held")
        if found.beyond:
            what = "readings of these days stay as they are: the journal does not keep their blocks"
            lines.append(f"{found.beyond:,} {what}")
        if found.retired:
            what = "readings of the journal were removed by retention or erased: they stay away"
            lines.append(f"{found.retired:,} {what}")
        if found.is_same:
            return [*lines, "the tables hold what the journal gives"]
        if self.dry_run:
            return [*lines, "the tables do NOT hold what the journal gives"]
        return [*lines, "now the tables hold what the journal gives"]


def day_of(ts_us: int) -> str | None:
    """The date of a time; None outside the years of dates, which stands for no bound."""
    day = np.datetime64(ts_us // DAY_US, "D")
    is_bound = np.datetime64("0001-01-01") <= day <= np.datetime64("9999-12-31")
    return str(day) if is_bound else None
