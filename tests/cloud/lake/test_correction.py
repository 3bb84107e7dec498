"""Times put right: every reading once, at its true time, in whatever order things come."""

import tracemalloc
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.lake.correction import (
    KNOWN_MAX,
    Correction,
    Known,
    apart,
    corrections_of,
    settled,
    within,
)
from cloud.lake.embedded import decode
from cloud.lake.names import Names
from cloud.query.history import Ask
from cloud.query.plan import Resolution
from protos.records import Quality
from tests.cloud import lake_runs, query_world
from tests.cloud.correction_world import HOUR_US, STRETCHES, told, unsynced
from tests.cloud.lake_world import DAY_US, T0, Gateway, MemoryJournal

FAR_US = T0 + 400 * DAY_US
ENDS = (-FAR_US, FAR_US)
CORRECTED, UNSYNCED = int(Quality.GATEWAY_CORRECTED), int(Quality.GATEWAY_UNSYNCED)

OPS = st.one_of(
    st.tuples(st.just("unsynced"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("correct"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("sensor"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("follow"), st.just(0), st.just(0)),
    st.tuples(st.just("consolidate"), st.just(0), st.just(0)),
    st.tuples(st.just("reopen"), st.just(0), st.just(0)),
)


class Story:
    """Sends what the operations say, and knows what must come out."""

    def __init__(self, world: query_world.World) -> None:
        self.world = world
        self.other = Gateway(world.journal, "gw-2")
        self.sent: list[tuple[int | None, int, float]] = []  # stretch or None, time, value
        self.corrected: set[int] = set()
        self.other.send(self.other.numbers("else", [T0], [0.0]))
        world.gateway.send(world.gateway.numbers("pump", [T0 - DAY_US], [-1.0]))
        self.sent.append((None, T0 - DAY_US, -1.0))

    def do(self, op: str, which: int, much: int) -> None:
        gateway, value = self.world.gateway, float(len(self.sent))
        if op == "unsynced":
            wrong, since = STRETCHES[which], len(self.sent) * 60_000_000 % (3 * HOUR_US)
            rows = [since + each for each in range(much + 1)]
            values = [value + each for each in range(much + 1)]
            batch = [unsynced(gateway, "pump", wrong, rows, values)]
            if much:
                batch.append(gateway.scores("pump", [wrong.at(rows[0])], [value]))
            gateway.send(*batch)
            self.sent += [(which, wrong.at(row), v) for row, v in zip(rows, values, strict=True)]
        elif op == "correct":
            gateway.send(STRETCHES[which].correction())
            self.corrected.add(which)
        elif op == "sensor":  # just where an unsynced one may stand
            ts = STRETCHES[which].at(60_000_000 * which)
            gateway.send(gateway.numbers("pump", [ts], [value]))
            self.sent.append((None, ts, value))
        else:
            getattr(self.world, op)()

    def due(self) -> list[tuple[int, float, int]]:
        """(time, value, quality) of every reading."""
        rows = []
        for which, ts, value in self.sent:
            if which is None:
                rows.append((ts, value, 0))
            elif which in self.corrected:
                rows.append((ts + STRETCHES[which].offset_us, value, CORRECTED))
            else:
                rows.append((ts, value, UNSYNCED))
        return sorted(rows)

    def found(self) -> list[tuple[int, float, int]]:
        ask = Ask((self.world.id("pump"),), *ENDS, resolution=Resolution.RAW)
        (series,) = self.world.query.history(ask).series
        columns = (series.ts.tolist(), series.value.tolist(), series.quality.tolist())
        return sorted(zip(*columns, strict=True))

    def buckets(self, width: Resolution) -> Counter[int]:
        found: Counter[int] = Counter()
        start = min(ts for ts, _, _ in self.due())
        for low in (start, T0 - 40 * DAY_US):
            ask = Ask((self.world.id("pump"),), low, low + 90 * DAY_US, 20_000, width)
            answer = self.world.query.history(ask)
            (series,) = answer.series
            partials = series.partials
            for bucket, count in zip(partials.bucket, partials.count, strict=True):
                found[int(bucket)] = max(found[int(bucket)], int(count))
        return found


@settings(max_examples=12, deadline=None)
@given(st.lists(OPS, max_size=14))
def test_in_any_order_every_reading_comes_out_once_at_its_true_time(
    tmp_path_factory: pytest.TempPathFactory, ops: list[tuple[str, int, int]]
) -> None:
    world = query_world.World(tmp_path_factory.mktemp("lake"))
    story = Story(world)
    try:
        for op in ops:
            story.do(*op)
            world.follow()
            assert len(story.found()) == len(story.sent), "never lost or double on the way"
        world.consolidate()
        world.follow()
        assert story.found() == story.due()
        for width, long_us in ((Resolution.HOUR, HOUR_US), (Resolution.DAY, DAY_US)):
            due = Counter(ts - ts % long_us for ts, _, _ in story.due())
            assert story.buckets(width) == due
        known = world.live.book.known([world.id("pump")])
        last = max(story.due(), key=lambda row: row[0])
        assert (known.readings.tolist(), known.last_ts.tolist()) == ([len(story.sent)], [last[0]])
        assert known.first_ts.tolist() == [story.due()[0][0]]
        times = {ts for ts, _, _ in story.due()}
        anomalies = world.query.anomalies(*ENDS)
        assert {row["ts"] for row in anomalies} <= times
        assert len(anomalies) == known.anomalies[0]
    finally:
        world.close()


def test_days_that_a_correction_leaves_and_comes_to_are_all_that_is_written_anew(
    tmp_path: Path,
) -> None:
    world = lake_runs.World(tmp_path / "lake")
    gateway, wrong = world.gateway, STRETCHES[0]
    for day in range(10):
        gateway.send(gateway.numbers("pump", [T0 + day * DAY_US], [1.0]))
    gateway.send(unsynced(gateway, "pump", wrong, [0], [2.0]))
    world.drain()

    def files() -> set[str]:
        tables = world.viewer.batch.tables
        return {path for name in ("readings", "rollup_1m") for path in tables[name].paths()}

    before = files()
    gateway.send(wrong.correction())
    world.drain()
    gone = {path.split("period=")[1][:10] for path in before - files()}
    assert gone <= {"1970-01-01", "2023-11-15"}


def _decoded(order: tuple[int, ...]) -> list[tuple[int, float, int]]:
    """Rows of three stretches after their corrections in this order, some twice."""
    journal = MemoryJournal()
    gateway = Gateway(journal)
    for number, wrong in enumerate(STRETCHES):
        gateway.send(unsynced(gateway, "pump", wrong, [0, 1], [number, number + 0.5]))
    rows = decode(journal.entries, Names(journal.series))
    for number in (*order, order[0]):
        other = MemoryJournal()
        sender = Gateway(other)
        sender.series("pump")
        sender.send(STRETCHES[number].correction())
        told = decode(other.entries, Names(other.series)).tables["corrections"]
        rows = settled(rows, Known().plus(corrections_of(told)))
    found = rows.tables["readings"]
    columns = [found["ts"].cast("int64"), found["value"], found["quality"]]
    return sorted(zip(*(column.to_pylist() for column in columns), strict=True))


def test_the_order_of_corrections_is_of_no_consequence_nor_is_their_number() -> None:
    results = [_decoded(order) for order in permutations(range(3))]
    assert all(result == results[0] for result in results)
    assert {quality for *_, quality in results[0]} == {CORRECTED}


def test_a_correction_touches_no_other_gateway(tmp_path: Path) -> None:
    world = lake_runs.World(tmp_path / "lake")
    other, wrong = Gateway(world.journal, "gw-2"), STRETCHES[0]
    other.send(unsynced(other, "pump", wrong, [0], [1.0]))
    world.gateway.send(unsynced(world.gateway, "pump", wrong, [0], [2.0]))
    world.drain()
    other.send(wrong.correction())
    world.drain()
    found = {value: (ts, quality) for ts, value, quality, _ in told(world)}
    assert found[1.0] == (wrong.at(0) + wrong.offset_us, CORRECTED)
    assert found[2.0] == (wrong.at(0), UNSYNCED)


@pytest.mark.parametrize("offset_us", [1 << 62, -(1 << 62)])
def test_a_correction_out_of_all_years_corrects_nothing(tmp_path: Path, offset_us: int) -> None:
    world = lake_runs.World(tmp_path / "lake")
    wrong = type(STRETCHES[0])(b"c" * 16, 5, 0, offset_us)
    world.gateway.send(unsynced(world.gateway, "pump", wrong, [0], [1.0]))
    world.drain()
    world.gateway.send(wrong.correction())
    world.drain()
    assert [(ts, quality) for ts, _, quality, _ in told(world)] == [(wrong.at(0), UNSYNCED)]


def test_moving_rows_costs_nothing_where_none_is_unsynced() -> None:
    journal = MemoryJournal()
    gateway = Gateway(journal)
    gateway.send(gateway.numbers("pump", [T0], [1.0]), STRETCHES[0].correction())
    decoded = decode(journal.entries, Names(journal.series))
    known = Known().plus(corrections_of(decoded.tables["corrections"]))
    assert settled(decoded, known) is decoded
    assert np.array_equal(decoded.tables["readings"]["lag_us"].to_numpy(), [5])


def test_of_one_gateways_corrections_so_many_are_known_and_no_other_loses_by_it() -> None:
    many = (Correction("greedy", tag, 0, 1, 1) for tag in range(1, KNOWN_MAX + 10))
    other = Correction("other", 1, 0, 1, 1)
    known = Known().plus(many).plus([Correction("greedy", KNOWN_MAX + 99, 0, 1, 1), other])
    assert Counter(gateway for gateway, _ in known.found) == {"greedy": KNOWN_MAX, "other": 1}
    assert known.found["other", 1] is other


SPANS = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(0, 9)).map(lambda at: (at[0], at[0] + at[1])),
    min_size=1,
)


@given(SPANS, st.lists(st.integers(-60, 70)))
def test_times_lie_within_spans_as_within_any_of_them(
    spans: list[tuple[int, int]], ts: list[int]
) -> None:
    first, last = apart(spans)
    assert (first[1:] > last[:-1] + 1).all()
    told = within(np.array(ts, np.int64), first, last).tolist()
    assert told == [any(begin <= one <= end for begin, end in spans) for one in ts]


def test_a_hundred_thousand_spans_take_no_memory_for_each_time() -> None:
    first, last = apart((2 * day * DAY_US, 2 * day * DAY_US + 1) for day in range(100_000))
    ts = np.arange(10_000, dtype=np.int64) * DAY_US
    tracemalloc.start()
    try:
        inside = within(ts, first, last)
        assert tracemalloc.get_traced_memory()[1] < 100 * ts.nbytes
    finally:
        tracemalloc.stop()
    assert inside.sum() == 5_000
