"""Times of states in a bucket: of any rows in order they merge to those of all readings."""

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.rollup import states as rollup_states
from cloud.rollup.states import STATES_MAX, TEXT_MAX, Ends, Said, States

Row = tuple[int, float | str]

_said = st.one_of(
    st.sampled_from(["on", "off", "", "ü", "x" * TEXT_MAX, "x" * (TEXT_MAX + 1)]),
    st.integers(-2, 40).map(float),
    st.sampled_from([math.nan, -0.0, math.inf, -math.inf]),
)
_row = st.lists(st.tuples(st.integers(0, 60), _said), min_size=1, max_size=60)


def made_of(rows: list[list[Row]], of_states: list[bool]) -> States:
    flat = [each for row in rows for each in row]
    text = np.empty(len(flat), object)
    text[:] = [said if isinstance(said, str) else None for _, said in flat]
    value = [math.nan if isinstance(said, str) else said for _, said in flat]
    starts = np.cumsum([0, *map(len, rows)])[:-1]
    said = Said(starts, np.array([ts for ts, _ in flat], np.int64), np.array(value), text)
    return rollup_states.reduce(said, np.array(of_states, bool), has_text=True)


def ends_of(rows: list[list[Row]]) -> Ends:
    text = np.empty(len(rows), object)
    lasts = [row[-1][1] for row in rows]
    text[:] = [said if isinstance(said, str) else None for said in lasts]
    return Ends(
        np.array([row[0][0] for row in rows]),
        np.array([row[-1][0] for row in rows]),
        np.array([math.nan if isinstance(said, str) else said for said in lasts]),
        text,
    )


def plain(states: States) -> list[list[str]]:
    """Each row's states and times, as texts."""
    return [
        [f"{states.value[i]} {states.text[i]!r} {states.us[i]}" for i in range(a, b)]
        for a, b in pairwise(states.offsets.tolist())
    ]


def looped(row: list[Row], *, of_states: bool) -> list[str]:
    """The same by a loop over the readings."""
    found: dict[tuple[bool, float, bytes], int] = {}
    for (ts, said), (after, _) in pairwise(row):
        is_text = isinstance(said, str)
        is_long = is_text and len(said.encode()) > TEXT_MAX
        if is_long or not (is_text or (of_states and not math.isinf(said))):
            continue
        number = math.inf if is_text or math.isnan(said) else said + 0.0
        is_nan = not is_text and math.isnan(said)
        key = (is_text, is_nan, number, said.encode() if is_text else b"")
        found[key] = found.get(key, 0) + after - ts
    told = []
    for (is_text, is_nan, number, text), us in sorted(found.items()):
        value = math.nan if is_text or is_nan else number
        if us:
            told.append(f"{value} {text.decode() if is_text else None!r} {us}")
    return told[:STATES_MAX]


@given(st.lists(st.tuples(_row, st.booleans()), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_states_are_those_that_a_loop_finds(rows):
    ordered = [sorted(row, key=lambda each: each[0]) for row, _ in rows]
    found = made_of(ordered, [of for _, of in rows])
    wanted = [looped(row, of_states=of) for row, (_, of) in zip(ordered, rows, strict=True)]
    assert plain(found) == wanted
    assert found.is_known.all()


@given(
    st.lists(st.tuples(_row, st.booleans()), min_size=1, max_size=3),
    st.lists(st.integers(0, 60), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_rows_one_after_another_merge_to_those_of_all_readings(rows, cuts):
    ordered = [sorted(row, key=lambda each: each[0]) for row, _ in rows]
    parts: list[list[Row]] = []
    starts, of_states = [], []
    for row, (_, of) in zip(ordered, rows, strict=True):
        edges = sorted({0, len(row), *(cut for cut in cuts if cut < len(row))})
        starts.append(len(parts))
        parts += [row[a:b] for a, b in pairwise(edges)]
        of_states += [of] * (len(edges) - 1)
    order, known = np.arange(len(parts)), np.ones(len(rows), bool)
    own = made_of(parts, of_states)
    merged = rollup_states.merge(own, ends_of(parts), order, np.array(starts), known)
    assert plain(merged) == plain(made_of(ordered, [of for _, of in rows]))
    # and again in two steps, of the last two parts first
    if len(starts) == 1 and len(parts) > 2:
        two = np.array([*range(len(parts) - 2), len(parts) - 2])
        fewer = [*parts[:-2], parts[-2] + parts[-1]]
        sure = np.ones(len(fewer), bool)
        once = rollup_states.merge(own, ends_of(parts), order, two[: len(fewer)], sure)
        assert plain(once)[:-1] == plain(own)[:-2]
        zero, all_of = np.zeros(1, np.int64), np.arange(len(fewer))
        twice = rollup_states.merge(once, ends_of(fewer), all_of, zero, np.ones(1, bool))
        assert plain(twice) == plain(merged)


def test_rows_that_interleave_tell_nothing_and_neither_does_what_they_are_merged_into():
    parts: list[list[Row]] = [[(0, "on"), (9, "off")], [(4, "off"), (6, "on")], [(20, "on")]]
    own, ends, order = made_of(parts, [True] * 3), ends_of(parts), np.arange(3)
    merged = rollup_states.merge(own, ends, order, np.array([0, 2]), np.array([False, True]))
    assert merged.is_known.tolist() == [False, True]
    assert plain(merged) == [[], []]
    both = ends_of([[(0, "on"), (9, "off")], [(20, "on")]])
    zero = np.zeros(1, np.int64)
    again = rollup_states.merge(merged, both, np.arange(2), zero, np.ones(1, bool))
    assert not again.is_known.any()


def test_what_is_not_told_is_what_the_times_lack():
    row: list[Row] = [(i * 10, float(i)) for i in range(STATES_MAX + 5)]
    states = made_of([row], [True])
    assert len(states.us) == STATES_MAX
    assert row[-1][0] - states.told()[0] == 4 * 10
    gauge = made_of([[(0, 1.0), (30, "unavailable"), (50, 2.0), (60, 2.0)]], [False])
    assert plain(gauge) == [["nan 'unavailable' 20"]]


def test_rows_taken_and_put_together_keep_their_lists():
    states = made_of([[(0, "a"), (5, "b"), (9, "c")], [(0, 1.0)], [(1, 2.0), (4, 2.0)]], [True] * 3)
    both = rollup_states.concat([states[np.array([2])], states[np.array([1, 0])]])
    assert plain(both) == [plain(states)[2], plain(states)[1], plain(states)[0]]
    assert not rollup_states.unknown(2).is_known.any()
    none = np.empty(0, np.int64)
    assert not len(rollup_states.merge(rollup_states.unknown(0), ends_of([]), none, none, none > 0))
