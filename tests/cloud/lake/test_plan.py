"""Plans depend on their arguments alone, bound what they make, and lose no row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.lake import plan as lake_plan
from cloud.lake.plan import (
    FILES_PER_PASS_MAX,
    MERGE_FILES,
    Sized,
    next_range,
    pick_gather,
    pick_merge,
    split,
    stands_apart,
)
from cloud.lake.table.schema import Grain
from cloud.rollup.partials import DAY_US
from tests.cloud.lake_world import T0


@given(
    st.lists(
        st.one_of(
            st.integers(T0 - 5 * DAY_US, T0),
            st.integers(T0 - 900 * DAY_US, T0),
            st.integers(-(1 << 63), (1 << 63) - 1),
        ),
        min_size=1,
        max_size=300,
    ),
    st.sampled_from([Grain.DAY, Grain.MONTH, Grain.YEAR]),
)
@settings(max_examples=200, deadline=None)
def test_every_row_goes_to_exactly_one_file_and_files_are_bounded(ts, grain):
    times = np.array(ts, np.int64)
    slices = split(times, grain)
    rows = [np.arange(len(ts))[part.rows] for part in slices]
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(ts)))
    assert len(slices) <= FILES_PER_PASS_MAX
    assert len({part.period for part in slices}) == len(slices)
    assert all((np.diff(part) > 0).all() for part in rows), "rows keep their order"


def test_few_days_are_partitioned_by_day():
    ts = np.array([T0, T0 + DAY_US, T0 + 1], np.int64)
    assert [part.period for part in split(ts, Grain.DAY)] == ["2023-11-15", "2023-11-16"]


def test_many_sparse_days_share_months_and_a_dense_one_stays_alone(monkeypatch):
    monkeypatch.setattr(lake_plan, "DENSE_ROWS", 50)
    sparse = [T0 - day * DAY_US for day in range(1, 200)]
    slices = split(np.array(sparse + [T0] * 50, np.int64), Grain.DAY)
    periods = {part.period: len(part.rows) for part in slices}
    assert periods.pop("2023-11-15") == 50
    assert set(periods) == {f"2023-{month:02d}" for month in range(4, 12)}


def test_times_that_no_calendar_has_still_have_a_place():
    ends = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max], np.int64)
    assert [part.period for part in split(ends, Grain.YEAR)] == ["0001", "9999"]


def test_tables_at_one_offset_go_on_together():
    todo = next_range({"readings": 5, "gaps": 5}, 9)
    assert todo is not None
    assert (todo.start, todo.limit, todo.tables) == (5, 9, {"readings", "gaps"})
    assert next_range({"readings": 9, "gaps": 9}, 9) is None


def test_a_table_behind_goes_alone_and_not_past_the_next():
    todo = next_range({"readings": 9, "rollup_1m": 7, "gaps": 3}, 20)
    assert todo is not None
    assert (todo.start, todo.limit, todo.tables) == (3, 7, {"gaps"})


def _files(*rows: int) -> list[Sized]:
    return [Sized(f"f{i}", n, i * 10, i * 10 + 10) for i, n in enumerate(rows)]


def test_small_files_are_merged_when_there_are_enough():
    assert pick_merge(_files(*[5] * (MERGE_FILES - 1))) == ()
    assert len(pick_merge(_files(*[5] * MERGE_FILES))) == MERGE_FILES


def test_a_large_file_is_not_rewritten_for_small_ones():
    picked = pick_merge(_files(500_000, *[5] * MERGE_FILES))
    assert [file.rows for file in picked] == [5] * MERGE_FILES


def test_only_neighbours_are_merged_so_that_arrival_order_stays():
    files = _files(*[5] * 4, 500_000, *[5] * 4)
    assert pick_merge(files) == ()


@given(st.lists(st.integers(1, 3_000_000), max_size=60))
@settings(max_examples=200, deadline=None)
def test_merging_ends_with_few_files_and_never_outgrows_its_bound(rows):
    files = _files(*rows)
    for _ in range(10 * len(rows) + 10):
        picked = pick_merge(files)
        if not picked:
            break
        merged = sum(file.rows for file in picked)
        assert merged <= lake_plan.MERGE_ROWS_MAX
        assert [f for f in files if picked[0].start <= f.start < picked[-1].end] == list(picked)
        rest = [file for file in files if file not in picked]
        files = [*rest, Sized("m", merged, picked[0].start, picked[-1].end)]
        files.sort(key=lambda file: file.start)
    else:
        pytest.fail("merging never ends")


def test_a_thousand_equal_passes_rewrite_each_row_a_few_times():
    files: list[Sized] = []
    written = 0
    for i in range(1000):
        files.append(Sized(f"p{i}", 1000, i, i + 1))
        while picked := pick_merge(files):
            rows = sum(file.rows for file in picked)
            written += rows
            files = [file for file in files if file not in picked]
            files.append(Sized(f"m{i}", rows, picked[0].start, picked[-1].end))
    assert written <= 4 * 1_000_000
    assert len(files) <= 4 * MERGE_FILES


def _days(periods: list[str], rows: int = 10) -> list[Sized]:
    return [Sized(f"{p}/{i}", rows, i, i + 1, p) for i, p in enumerate(periods)]


def _month(name: str, days: int = 28) -> list[str]:
    return [f"{name}-{day:02d}" for day in range(1, days + 1)]


def test_sparse_days_that_are_few_stay_as_they_are():
    assert pick_gather(_days(_month("2023-11"))) is None


def test_too_many_sparse_days_share_the_month_that_has_most_of_them(monkeypatch):
    monkeypatch.setattr(lake_plan, "SPARSE_PERIODS_MAX", 40)
    files = _days(_month("2023-10", 20) + _month("2023-11") + ["1999-01-01"])
    period, picked = pick_gather(files)
    assert period == "2023-11"
    assert {file.period for file in picked} == set(_month("2023-11"))


def test_days_without_neighbours_share_one_file_the_sparsest_first(monkeypatch):
    monkeypatch.setattr(lake_plan, "SPARSE_PERIODS_MAX", 30)
    strays = _days([f"{year}-01-01" for year in range(1000, 1030)], rows=1)
    period, picked = pick_gather(strays + _days(_month("2023-11", 7), rows=500))
    assert period == lake_plan.ALL
    assert all(file.rows == 1 for file in picked)
    assert len(picked) >= MERGE_FILES


def test_a_dense_day_never_leaves_its_period(monkeypatch):
    monkeypatch.setattr(lake_plan, "SPARSE_PERIODS_MAX", 8)
    files = _days(_month("2023-11", 9)) + _days(["2023-11-30"], lake_plan.DENSE_ROWS)
    _, picked = pick_gather(files)
    assert "2023-11-30" not in {file.period for file in picked}


def test_rows_between_which_others_of_their_time_arrived_do_not_stand_apart():
    picked = [Sized("a", 1, 0, 10, "2023-11-15"), Sized("b", 1, 20, 30, "2023-11-15")]
    other_day = Sized("c", 1, 10, 20, "2023-11-16")
    assert stands_apart(picked, [*picked, other_day])
    for period in ("2023-11-15", "2023-11", "2023", "all"):
        assert not stands_apart(picked, [*picked, Sized("c", 1, 10, 20, period)])
    assert stands_apart(picked, [*picked, Sized("c", 1, 30, 40, "all")])


def test_any_number_of_stray_days_ends_in_a_bounded_number_of_files():
    chance = np.random.default_rng(51)
    files: list[Sized] = []
    for number in range(400):
        days = chance.integers(-700_000, 400_000, int(chance.integers(1, 90)))
        for part in split(days * DAY_US, Grain.DAY):
            rows = len(np.arange(len(days))[part.rows])
            path = f"{part.period}/{number}"
            files.append(Sized(path, rows, number, number + 1, part.period))
        while lake_plan.is_crowded(files):
            period, picked = pick_gather(files) or pytest.fail("nothing to gather")
            gone = {file.path for file in picked}
            rows = sum(file.rows for file in picked)
            span = (min(f.start for f in picked), max(f.end for f in picked))
            files = [file for file in files if file.path not in gone]
            files.append(Sized(f"{period}/m{number}-{len(files)}", rows, *span, period))
        assert len({file.period for file in files}) <= lake_plan.SPARSE_PERIODS_MAX + 1
    assert sum(file.period != lake_plan.ALL for file in files) <= lake_plan.SPARSE_FILES_MAX
