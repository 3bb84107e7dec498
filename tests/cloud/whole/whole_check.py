"""What a whole cloud answers, beside what a naive list of all that was sent says."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from cloud.query.clean import Bad
from cloud.query.history import Ask
from cloud.query.plan import Buckets, Resolution
from cloud.query.rows import BucketSeries, More
from cloud.query.states import StatesAsk, states
from cloud.rollup.bins import ERROR
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from cloud.series.marks import MarkKind
from cloud.serve.shown import Shown, bad_of_parts
from tests.cloud import over_model
from tests.cloud.joined_model import Model
from tests.cloud.lake_world import T0
from tests.cloud.live.test_live import held
from tests.cloud.over_model import Row
from tests.cloud.query.test_joined_over import told_of
from tests.cloud.query.test_over import check_durations, check_same
from tests.cloud.whole.whole_due import DEVICES
from tests.cloud.whole.whole_world import GATEWAYS, Whole

EVER = T0 - 40 * DAY_US, T0 + 40 * DAY_US
"""All true times, and no 1970."""
DAYS = 2
TIER = {MINUTE_US: Resolution.MINUTE, HOUR_US: Resolution.HOUR, DAY_US: Resolution.DAY}
Rows = Sequence[tuple[int, float]]


def check(world: Whole, widths: Iterable[int] = (MINUTE_US, HOUR_US, DAY_US, 7_000_000)) -> None:
    """Every answer is that of the list."""
    world.come_level()
    before, _ = world.operations.all()
    model = Model(before, {world.names[device].id: device for device in DEVICES})
    sent = world.due.rows()
    check_counts(world)
    for root, parts in model.parts.items():
        for device in (root, *{part[0] for part in parts}):
            number = world.names[root].id
            assert world.operations.resolver.root(world.names[device].id) == number
        rows = model.rows(root, sent)
        good = model.rows(root, without_bad(world, root, sent))
        bad = bad_of(world, root)
        assert close(raw(world, root), within(rows))
        assert close(raw(world, root, bad), within(good))
        hull = world.due.hull({root, *{part[0] for part in parts}})
        for width in widths:
            check_buckets(world, root, rows, width, {}, hull)
        check_buckets(world, root, good, HOUR_US, bad, hull)
    check_stored(world, sent)
    check_rolled(world)
    check_latest(world, model, sent)
    check_words(world)
    for view, count in world.views:
        assert len(held(view)) == count


def without_bad(world: Whole, root: str, sent: Mapping[str, Rows]) -> dict[str, Rows]:
    """What no mark calls bad: of a part, or of all that it is part of."""
    marks = [m for m in world.marks.all() if m.kind is MarkKind.BAD and m.withdrawn_us is None]
    found = {}
    for device, rows in sent.items():
        of = {root, device}
        meant = [
            mark
            for mark in marks
            if {world.names[each].id for each in of} & {*mark.series}
            or (not mark.series and mark.gateway in {GATEWAYS[DEVICES.index(e)] for e in of})
        ]
        found[device] = [
            row for row in rows if not any(m.from_us <= row[0] < m.to_us for m in meant)
        ]
    return found


def bad_of(world: Whole, root: str) -> Mapping[int, Bad]:
    joined = world.operations.resolver.of(world.names[root].id)
    shown = joined.name if joined is not None else world.names[root]
    parts = joined.members if joined is not None else (shown,)
    return bad_of_parts(world.marks, shown, parts)


def check_counts(world: Whole) -> None:
    """What left for its age is counted until the book is made anew without its rollups."""
    _, readings, anomalies = world.live.book.counts()
    assert anomalies == len(world.due.scores)
    assert world.due.count() - world.due.left() <= readings <= world.due.count()


def raw(world: Whole, root: str, without: Mapping[int, Bad] | None = None) -> list[Row]:
    found: list[Row] = []
    cursor = None
    while True:
        ask = Ask(
            (world.names[root].id,), *EVER, resolution=Resolution.RAW, limit=7, cursor=cursor,
            joined=world.operations.resolver, without=without or {},
        )  # fmt: skip
        answer = world.query.history(ask)
        for rows in answer.series:
            found += zip(rows.ts.tolist(), rows.value.tolist(), strict=True)
        cursor = answer.next
        if cursor is None:
            return found


def check_buckets(
    world: Whole,
    root: str,
    rows: Rows,
    width: int,
    without: Mapping[int, Bad],
    hull: tuple[int, int] = (0, 0),
) -> None:
    """All that a bucket tells: of its readings, and of what was over time.

    Of days in a ``hull`` nothing: readings left, and who asks for parts of them gets what is there.
    """
    around = HOUR_US if width < MINUTE_US else DAYS * DAY_US
    first = (T0 - around) // width * width
    edges = np.arange(first, T0 + around, width, dtype=np.int64)
    tier = TIER.get(width, Resolution.AUTO)
    asked = Ask(
        (world.names[root].id,), int(edges[0]), int(edges[-1]), 20_000, tier,
        grid=None if width in TIER else Buckets(width, None, "odd", edges),
        joined=world.operations.resolver, without=without, more=frozenset(More),
    )  # fmt: skip
    series = buckets(world, asked)
    near = buckets(world, replace(asked, more=asked.more - {More.EXACT_QUANTILES}))
    assert repr(near.durations) == repr(series.durations)
    if not any(hull):
        check_same(told_of(series), over_model.over(rows, edges.tolist()))
    if width in TIER:
        asked_of = [row for row in rows if edges[0] <= row[0] < edges[-1]]
        check_held(series, asked_of, width, hull)
    for at, start in enumerate(series.partials.bucket.tolist()):
        end = start + width
        inside = [value for ts, value in sorted(rows, key=lambda row: row[0]) if start <= ts < end]
        if end > hull[0] and start < hull[1]:
            continue
        check_plain(series, at, inside)
        if any(hull):
            continue
        for name, share in (("p5", Fraction(1, 20)), ("p50", Fraction(1, 2))):
            want = over_model.quantile(rows, start, end, share)
            assert series.quantiles[name][at] == pytest.approx(want, rel=1e-9, nan_ok=True)
            check_near(near, name, at, want)
        check_durations(series.durations[at], over_model.durations(rows, start, end))


def buckets(world: Whole, ask: Ask) -> BucketSeries:
    (series,) = world.query.history(ask).series
    assert isinstance(series, BucketSeries)
    return series


def check_near(series: BucketSeries, name: str, at: int, want: float) -> None:
    """A quantile of bins is as far off as is said, and that is as little as is promised."""
    assert series.error is not None
    error = float(series.error[at])
    told, low, high = (
        float(each[at])
        for each in (series.quantiles[name], series.partials.min, series.partials.max)
    )
    assert told == pytest.approx(want, rel=1e-9, abs=error * (1 + 1e-9), nan_ok=True)
    assert error == 0 or error <= ERROR * (high - low) * (1 + 1e-9)
    assert error == 0 or series.of_bins


def check_held(
    series: BucketSeries, rows: Rows, width: int, hull: tuple[int, int] = (0, 0)
) -> None:
    """There is a bucket for all that has readings, and for nothing else."""
    found = series.partials
    told = zip(found.bucket.tolist(), found.count.tolist(), strict=True)
    held_by = Counter(ts // width * width for ts, _ in rows)
    due = sorted(one for one in held_by.items() if not hull[0] <= one[0] < hull[1])
    assert [one for one in told if not hull[0] <= one[0] < hull[1]] == due


def check_rolled(world: Whole) -> None:
    """What left for its age is in the rollups yet, as it came.

    But what corrections of times bring to days that left, which the first device has alone.
    """
    for device in DEVICES[1:]:
        rows = world.due.rolled(device)
        for width, tier in TIER.items():
            ask = Ask((world.names[device].id,), *EVER, 200_000, tier)
            (series,) = world.query.history(ask).series
            assert isinstance(series, BucketSeries)
            if width != MINUTE_US:  # of an hour with few readings there are no minutes
                check_held(series, rows, width)
            for at, start in enumerate(series.partials.bucket.tolist()):
                ordered = sorted(rows, key=lambda row: row[0])
                check_plain(series, at, [v for ts, v in ordered if start <= ts < start + width])


def check_plain(series: BucketSeries, at: int, values: Sequence[float]) -> None:
    found, valid = series.partials, [value for value in values if not math.isnan(value)]
    assert (found.count[at], found.valid[at]) == (len(values), len(valid))
    assert same([found.first[at], found.last[at]], [values[0], values[-1]])
    assert same([found.sum[at]], [sum(valid)])
    if valid:
        assert same([found.min[at], found.max[at]], [min(valid), max(valid)])


def check_stored(world: Whole, sent: Mapping[str, Rows]) -> None:
    """What gateways sent is there as they sent it, whatever operations say."""
    for device in DEVICES:
        ask = Ask((world.names[device].id,), *EVER, resolution=Resolution.RAW)
        (series,) = world.query.history(ask).series
        found = list(zip(series.ts.tolist(), series.value.tolist(), strict=True))
        assert close(found, within(sorted(sent[device], key=lambda row: row[0])))


def check_latest(world: Whole, model: Model, sent: Mapping[str, Rows]) -> None:
    book = Shown(world.operations, world.live, world.query).book()
    known = book.known()
    at_of = {name.id: at for at, name in enumerate(known.names)}
    assert len(at_of) == len(model.parts) + 1
    assert book.retired() == {world.names[root].id for root in model.retired}
    for root in model.parts:
        at, rows = at_of[world.names[root].id], model.rows(root, sent)
        if any(world.due.hull({part[0] for part in model.parts[root]})):
            # Until the book is made anew it knows what left, then what the rollups know of it.
            ever = {row[0] for row in model.rows(root, world.due.ever())}
            assert known.last_ts[at] in ever
            assert known.last_ts[at] >= max([row[0] for row in rows], default=min(ever))
            continue
        assert known.names[at].unit == model.unit[root]
        if rows:
            assert known.last_ts[at] == rows[-1][0]
            assert same([known.last_value[at]], [rows[-1][1]])


def check_words(world: Whole) -> None:
    """The series of texts: each reading, and the stretches that they make."""
    rows = sorted(world.due.texts, key=lambda row: row[0])
    number = world.names["door"].id
    (series,) = world.query.history(Ask((number,), *EVER, resolution=Resolution.RAW)).series
    assert list(zip(series.ts.tolist(), series.text.tolist(), strict=True)) == rows
    stands = list(dict(rows).items())  # of several at one time the last
    for width in (HOUR_US, DAY_US):
        start = (T0 - DAYS * DAY_US) // width * width
        ask = Ask(
            (number,), start, T0 + DAYS * DAY_US, 20_000, TIER[width],
            more=frozenset({More.DURATIONS}),
        )  # fmt: skip
        told = buckets(world, ask)
        for at, bucket in enumerate(told.partials.bucket.tolist()):
            check_durations(told.durations[at], over_model.durations(rows, bucket, bucket + width))
    runs = [row for at, row in enumerate(stands) if not at or stands[at - 1][1] != row[1]]
    found = states(world.query, StatesAsk(number, *EVER, 1000)).stretches
    assert [(one.from_us, one.text) for one in found] == runs


def within(rows: Rows) -> list[Row]:
    return [row for row in rows if EVER[0] <= row[0] < EVER[1]]


def close(found: Sequence[Row], wanted: Sequence[Row]) -> bool:
    return [ts for ts, _ in found] == [ts for ts, _ in wanted] and same(
        [value for _, value in found], [value for _, value in wanted]
    )


def same(found: Iterable[float], wanted: Iterable[float]) -> bool:
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (a != a and b != b)
        for a, b in zip(found, wanted, strict=True)
    )
