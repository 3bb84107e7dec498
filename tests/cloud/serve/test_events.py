"""States as stretches, episodes by their newest word, gaps as declared, from tables and tail."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.query.clean import NONE, bad_of
from cloud.query.states import StatesAsk, states
from cloud.rollup.partials import DAY_US, HOUR_US, MINUTE_US
from protos import records
from protos.records import GapReason, Kind
from tests.cloud.lake_world import T0
from tests.cloud.query_world import World as QueryWorld
from tests.cloud.serve_world import World


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "lake")
    yield world
    world.close()


def follow(world: World, *, consolidate: bool = False) -> None:
    while consolidate and world.consolidator.run_once().more:
        pass
    while world.live.advance():
        pass


def say(world: World, rows, *, consolidate: bool = False) -> None:
    world.gateway.send(world.gateway.texts("door", [r[0] for r in rows], [r[1] for r in rows]))
    follow(world, consolidate=consolidate)


def stretches(world: World, query: str) -> list[tuple]:
    rows = world.get(f"/api/v1/states?series={world.id('door')}&{query}")["states"]
    return [(r["from"] - T0, r["to"] - T0, r["text"], r["readings"], r["open"]) for r in rows]


def test_states_are_stretches_until_something_else_is_said(world):
    say(world, [(T0, "open"), (T0 + 10, "open"), (T0 + 20, "shut")], consolidate=True)
    say(world, [(T0 + 30, "shut"), (T0 + 40, "open")])
    assert stretches(world, f"from={T0}&to={T0 + 100}") == [
        (0, 20, "open", 2, False),
        (20, 40, "shut", 2, False),
        (40, 100, "open", 1, True),
    ]


@pytest.mark.parametrize("ago", [5, 90_000_000, HOUR_US + 7, 40 * DAY_US])
def test_what_stood_when_the_range_began_is_found_however_long_ago_it_was_said(world, ago):
    say(world, [(T0 - 400 * DAY_US, "shut"), (T0 - ago, "open")], consolidate=True)
    path = f"/api/v1/states?series={world.id('door')}&from={T0}&to={T0 + 10}"
    (row,) = world.get(path)["states"]
    assert (row["text"], row["from"], row["since"]) == ("open", T0, T0 - ago)
    assert (row["readings"], row["open"]) == (0, True)
    assert world.get(path.replace(str(T0 + 10), str(T0)))["states"]  # a moment has a state too


def test_before_the_first_word_there_is_no_state(world):
    say(world, [(T0 + 5, "open")])
    assert stretches(world, f"from={T0}&to={T0 + 5}") == []
    assert stretches(world, f"from={T0}&to={T0 + 9}") == [(5, 9, "open", 1, True)]


def test_numbers_and_nan_are_states_too(world):
    values = [1.0, 1.0, math.nan, math.nan, 0.0]
    ts = [T0 + i for i in range(5)]
    world.gateway.send(world.gateway.numbers("pump", ts, values))
    follow(world)
    path = f"/api/v1/states?series={world.id('pump')}&from={T0}&to={T0 + 9}"
    rows = world.get(path)["states"]
    assert [(r["value"], r["readings"]) for r in rows] == [(1.0, 2), (None, 2), (0.0, 1)]


def test_states_of_several_series_come_in_pages_that_join_to_the_whole(world):
    for device in ("a", "b"):
        said = [f"{device}{i // 2}" for i in range(10)]
        world.gateway.send(world.gateway.texts(device, [T0 + i for i in range(10)], said))
    follow(world)
    path = f"/api/v1/states?series={world.id('a')},{world.id('b')}&from={T0}&to={T0 + 99}"
    whole = world.get(path)["states"]
    assert len(whole) == 10
    for limit in (1, 2, 3, 5, 7, 10):
        found, cursor = [], ""
        while cursor is not None:
            answer = world.get(f"{path}&limit={limit}&cursor={cursor}")
            found += answer["states"]
            cursor = answer["next"]
        texts = [(row["series"], row["text"], row["from"]) for row in found]
        assert texts == [(row["series"], row["text"], row["from"]) for row in whole], limit


def test_states_leave_out_what_is_marked_as_bad(world):
    say(world, [(T0, "open"), (T0 + 10, "shut"), (T0 + 20, "open")])
    mark = {"kind": "bad", "from": T0 + 5, "to": T0 + 15, "author": "ann"}
    world.client.post("/api/v1/marks", json=mark | {"series": [world.id("door")]})
    span = f"from={T0}&to={T0 + 30}"
    assert [row[2] for row in stretches(world, span)] == ["open", "shut", "open"]
    assert stretches(world, f"{span}&bad=exclude") == [(0, 30, "open", 2, True)]
    assert stretches(world, f"from={T0 + 12}&to={T0 + 14}&bad=exclude")[0][2] == "open"


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from("xyz")), min_size=1, max_size=30),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(0, 30),
    st.booleans(),
)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_states_are_those_of_a_naive_model(tmp_path_factory, rows, start, long, split, is_bad):
    world = QueryWorld(tmp_path_factory.mktemp("world") / "lake")
    minute = [(T0 + at * 7_000_000, text) for at, text in rows]
    bad = bad_of([(T0 + 70_000_000, T0 + 140_000_000)]) if is_bad else NONE
    from_us = T0 + start * 7_000_000
    to_us = from_us + long * 7_000_000 + 1
    try:
        for part in (minute[:split], minute[split:]):
            if part:
                world.send("door", part)
                world.consolidate()
        world.follow()
        door = world.id("door")
        found = states(world.query, StatesAsk(door, from_us, to_us, 100, {door: bad}))
    finally:
        world.close()
    good = [row for row in sorted(minute, key=lambda row: row[0]) if bad.good(np.array([row[0]]))]
    last = {ts: text for ts, text in good if ts < to_us}
    expected: list[tuple[int, str]] = []
    for ts, text in last.items():
        at = max(ts, from_us)
        if expected and expected[-1][0] == at:
            expected.pop()
        if not expected or expected[-1][1] != text:
            expected.append((at, text))
    assert [(one.from_us, one.text) for one in found.stretches] == expected
    ends = [each[0] for each in expected[1:]] + [to_us] * bool(expected)
    assert [one.to_us for one in found.stretches] == ends


def test_of_several_readings_at_one_time_the_last_stands(world):
    say(world, [(T0, "a"), (T0 + 5, "b"), (T0 + 5, "a"), (T0 + 7, "b"), (T0 + 7, "c")])
    assert stretches(world, f"from={T0}&to={T0 + 9}") == [
        (0, 7, "a", 2, False),
        (7, 9, "c", 1, True),
    ]


def episodes(gateway, ids: list[int], ts, end, peak, device: str = "pump", state: int = 1):
    entry, count = gateway.series(device), len(ids)
    number = np.array([each.to_bytes(16, "big") for each in ids], "V16")
    times = np.array(ts, np.int64)
    return records.Batch(
        {
            Kind.EPISODES: {
                "series": np.full(count, entry, np.uint32),
                "ts": times,
                "id": number,
                "state": np.full(count, state, np.uint8),
                "end": np.array(end, np.int64),
                "peak_ts": times,
                "peak": np.array(peak, np.float64),
                "threshold": np.full(count, 3.0),
                "model": np.array(["drift-1"] * count, object),
                "points": np.full(count, 5, np.uint32),
            }
        }
    )


def test_of_words_in_one_block_the_one_that_ended_it_counts_and_the_feed_hears_all(world):
    gateway = world.gateway
    gateway.send(gateway.numbers("pump", [T0], [1.0]))
    words = episodes(gateway, [1, 1, 1], [T0] * 3, [T0 + 5] * 3, [9.0, 9.0, 9.0])
    words.tables[Kind.EPISODES]["state"][:] = [0, 2, 1]
    gateway.send(words)
    for consolidate in (False, True):
        follow(world, consolidate=consolidate)
        (row,) = world.get("/api/v1/episodes")["episodes"]
        assert (row["state"], row["open"]) == (2, False)
    opened = episodes(gateway, [2], [T0 + 9], [T0 + 9], [4.0])
    gateway.send(opened)
    follow(world)
    newest, _ = world.get("/api/v1/episodes")["episodes"]
    assert newest["open"]


def told(world: World, query: str) -> list[tuple[int, float, int]]:
    rows = world.get(f"/api/v1/episodes?{query}")["episodes"]
    return [(int(row["id"], 16), row["peak"], row["to"] - T0) for row in rows]


def test_episodes_are_told_by_their_newest_word_over_the_seam(world):
    gateway = world.gateway
    gateway.send(gateway.numbers("pump", [T0], [1.0]))
    gateway.send(episodes(gateway, [1, 2], [T0, T0 + 10], [T0 + 5, T0 + 15], [4.0, 9.0]))
    follow(world, consolidate=True)
    gateway.send(episodes(gateway, [1, 3], [T0, T0 + 20], [T0 + 50, T0 + 21], [7.0, 5.0]))
    follow(world)
    assert told(world, "") == [(3, 5.0, 21), (2, 9.0, 15), (1, 7.0, 50)]
    assert told(world, "order=peak&limit=2") == [(2, 9.0, 15), (1, 7.0, 50)]
    assert told(world, f"from={T0 + 30}&to={T0 + 40}") == [(1, 7.0, 50)]
    assert told(world, "device=fan") == []
    assert told(world, f"series={world.id('pump')}&to={T0 + 1}") == [(1, 7.0, 50)]
    follow(world, consolidate=True)
    assert told(world, "order=peak") == [(2, 9.0, 15), (1, 7.0, 50), (3, 5.0, 21)]


@pytest.mark.parametrize("order", ["newest", "peak"])
def test_pages_of_episodes_join_to_the_whole_even_where_many_begin_at_once(world, order):
    gateway = world.gateway
    ts = [T0 + i // 3 for i in range(10)]
    for part in (slice(0, 6), slice(6, 10)):
        ids = list(range(10))[part]
        peaks = [float(i % 4) for i in ids]
        gateway.send(episodes(gateway, ids, ts[part], ts[part], peaks))
        follow(world, consolidate=part.start == 0)
    whole = told(world, f"order={order}")
    assert len(whole) == 10
    for limit in (1, 2, 3, 4, 9):
        found, cursor = [], ""
        while cursor is not None:
            path = f"/api/v1/episodes?order={order}&limit={limit}&cursor={cursor}"
            answer = world.get(path)
            found += [int(row["id"], 16) for row in answer["episodes"]]
            cursor = answer["next"]
        assert found == [each[0] for each in whole], limit


def test_gaps_are_told_as_the_gateway_declared_them(world):
    gateway = world.gateway
    times = np.array([T0, T0 + HOUR_US], np.int64)
    gaps = {
        "series": np.zeros(2, np.uint32),
        "ts": times,
        "to": times + MINUTE_US,
        "count": np.array([7, 8], np.int64),
        "reason": np.array([GapReason.EVICTED, GapReason.DAMAGED], np.uint8),
        "seq_from": np.zeros(2, np.int64),
        "seq_to": np.zeros(2, np.int64),
    }
    gateway.series("pump")
    gateway.send(records.Batch({Kind.GAPS: gaps}))
    follow(world)
    for _ in range(2):
        rows = world.get("/api/v1/gaps")["gaps"]
        assert [(r["reason"], r["readings"], r["from"]) for r in rows] == [
            ("damaged", 8, T0 + HOUR_US),
            ("evicted", 7, T0),
        ]
        assert world.get(f"/api/v1/gaps?from={T0 + 1}&to={T0 + 2}")["gaps"] == rows[1:]
        assert world.get("/api/v1/gaps?gateway=other")["gaps"] == []
        follow(world, consolidate=True)


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("states?series={ids}", "series"),
        ("states?series={id}&cursor=WzksMV0", "cursor"),
        ("states", "series"),
        ("episodes?order=hihgest", "order"),
        ("episodes?cursor=Wy0xLDld", ""),
        ("episodes?cursor=WzEsLTld", "cursor"),
        ("episodes?order=peak&cursor=WzEsOV0", "cursor"),
        ("anomalies?from=5&to=4", "from"),
        ("gaps?device=x", "device"),
    ],
)
def test_a_bad_question_for_events_names_its_fault(world, path, parameter):
    for number in range(11):
        world.gateway.send(world.gateway.numbers(f"d{number}", [T0], [1.0]))
    follow(world)
    ids = ",".join(row["id"] for row in world.get("/api/v1/series")["series"])
    asked = path.replace("{ids}", ids).replace("{id}", world.id("d0"))
    if parameter:
        assert world.get(f"/api/v1/{asked}", 400)["error"]["parameter"] == parameter
    else:
        assert world.get(f"/api/v1/{asked}")["episodes"] == []
