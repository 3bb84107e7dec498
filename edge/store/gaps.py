"""Pure: gaps as values, joined so that a long loss stays a few rows, and as rows of a chunk."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from protos.records import Batch, GapReason, Kind, Rows, table

GAPS_MAX: Final = 64
"""Gaps in one note: three pages at most, whatever was lost."""
NEAR_US: Final = 60_000_000
"""Losses of one reason no further apart than this are one gap."""


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Records missing between two event times (µs UTC, both included), how many, and why.

    ``seq_from``, ``seq_to`` name blocks of the epoch that ended, where whole ones are missing.
    """

    from_us: int
    to_us: int
    count: int
    reason: GapReason
    seq_from: int = 0
    seq_to: int = 0


def join(gaps: Iterable[Gap], most: int = GAPS_MAX) -> tuple[Gap, ...]:
    """The same loss in at most ``most`` gaps and one a reason; counts add up exactly.

    Near ones of a reason become one; then, while there are too many, the two nearest do.
    """
    joined: list[Gap] = []
    all_of = sorted(gaps)
    for reason in sorted({gap.reason for gap in all_of}):
        alike = [gap for gap in all_of if gap.reason is reason]
        joined += _join_near(alike, NEAR_US)
    while len(joined) > most:
        pairs = [n for n in range(len(joined) - 1) if joined[n].reason is joined[n + 1].reason]
        if not pairs:
            break
        at = min(pairs, key=lambda n: joined[n + 1].from_us - joined[n].to_us)
        joined[at : at + 2] = [_one(joined[at], joined[at + 1])]
    return tuple(joined)


def _join_near(gaps: list[Gap], near_us: int) -> list[Gap]:
    joined: list[Gap] = []
    for gap in gaps:
        if joined and gap.from_us - joined[-1].to_us <= near_us:
            joined[-1] = _one(joined[-1], gap)
        else:
            joined.append(gap)
    return joined


def _one(a: Gap, b: Gap) -> Gap:
    seqs = [gap for gap in (a, b) if gap.seq_to]
    return replace(
        a,
        from_us=min(a.from_us, b.from_us),
        to_us=max(a.to_us, b.to_us),
        count=a.count + b.count,
        seq_from=min((gap.seq_from for gap in seqs), default=0),
        seq_to=max((gap.seq_to for gap in seqs), default=0),
    )


def batch_of(gaps: Iterable[Gap]) -> Batch:
    """The gaps as rows of GAPS."""
    rows = list(gaps)
    columns = {
        "series": 0,
        "ts": np.array([gap.from_us for gap in rows], np.int64),
        "to": [gap.to_us for gap in rows],
        "count": [gap.count for gap in rows],
        "reason": [int(gap.reason) for gap in rows],
        "seq_from": [gap.seq_from for gap in rows],
        "seq_to": [gap.seq_to for gap in rows],
    }
    return table(Kind.GAPS, columns)


def gaps_of(batch: Batch) -> list[Gap]:
    """The GAPS rows of a batch as values; a reason of a newer Tidegate reads as DAMAGED."""
    rows = batch.kind(Kind.GAPS)
    names = ("ts", "to", "count", "reason", "seq_from", "seq_to")
    known = set(GapReason)
    return [
        Gap(ts, to, count, GapReason(reason) if reason in known else GapReason.DAMAGED, first, last)
        for ts, to, count, reason, first, last in zip(
            *(rows[name].tolist() for name in names), strict=True
        )
    ]


def times_of(batch: Batch) -> tuple[int, int]:
    """First and last event time of all rows; (0, 0) when there is none."""
    times = [rows["ts"] for rows in batch.tables.values() if len(rows["ts"])]
    if not times:
        return 0, 0
    return min(int(ts.min()) for ts in times), max(int(ts.max()) for ts in times)


def loss_of(batch: Batch) -> list[Gap]:
    """What is missing once ``batch`` is evicted: its records, and the gaps it told of."""
    left: dict[Kind, Rows] = {
        kind: rows for kind, rows in batch.tables.items() if kind is not Kind.GAPS
    }
    lost = Batch(left)
    gaps = gaps_of(batch)
    if lost.rows:
        gaps.append(Gap(*times_of(lost), lost.rows, GapReason.EVICTED))
    return gaps
