"""Which runs are merged, which files of a run are left as they are, and where files are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.lake import sort_plan as lake_sort_plan
from cloud.lake.sort_plan import RUNS_MAX, Bounds, Run, cut, pick, runs_of, target_rows, touched
from cloud.lake.table.files import DataFile, file_name, sorted_name

DAY = "2023-11-15"


def file(start: int, rows: int = 100, *, run: int = 0, number: int = 0) -> DataFile:
    name = sorted_name(run, run, number, start, start + 1) if run else file_name(start, start + 1)
    return DataFile(f"period={DAY}/{name}", DAY, rows, rows * 4, start, start + 1, 0, 1, None)


def runs(*rows: int) -> list[Run]:
    """Runs of one file each, the last come first in the list."""
    return runs_of(file(i, count) for i, count in enumerate(reversed(rows)))[DAY]


def test_files_of_one_sorting_are_one_run_and_any_other_file_is_one_of_its_own():
    files = [file(1), file(2), file(0, run=7), file(0, run=7, number=1), file(5, run=9)]
    found = runs_of(files)[DAY]
    assert [[f.run for f in run.files] for run in found] == [[9], [0], [0], [7, 7]]
    assert found[-1].rows == 200


def test_of_a_quiet_period_all_runs_are_merged_into_one():
    assert len(pick(runs(5, 1, 90_000), 1 << 40, is_quiet=True)) == 3


def test_one_run_is_in_order_and_left_alone():
    assert pick(runs(5), 1 << 40, is_quiet=True) == ()


def test_a_period_that_grows_is_left_alone_until_it_has_too_many_runs():
    assert pick(runs(*[1] * RUNS_MAX), 1 << 40, is_quiet=False) == ()
    assert len(pick(runs(*[1] * RUNS_MAX, 1), 1 << 40, is_quiet=False)) == RUNS_MAX + 1


def test_a_large_run_is_not_rewritten_for_a_few_rows_while_its_period_grows():
    picked = pick(runs(*[10] * RUNS_MAX, 10_000), 1 << 40, is_quiet=False)
    assert sum(run.rows for run in picked) == 10 * RUNS_MAX


def test_only_what_there_is_room_for_is_merged_and_nothing_where_two_do_not_fit():
    assert len(pick(runs(10, 10, 10), 80, is_quiet=True)) == 2
    assert pick(runs(10, 10, 10), 79, is_quiet=True) == ()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=400))
def test_a_growing_period_has_few_runs_and_rewrites_each_row_a_few_times(passes):
    held: list[int] = []
    written = 0
    for rows in passes:
        held.insert(0, rows)
        while picked := pick(runs(*held), 1 << 40, is_quiet=False):
            merged = sum(run.rows for run in picked)
            written += merged
            held = [merged, *held[len(picked) :]]
        assert len(held) <= RUNS_MAX
    assert sum(held) == sum(passes)
    assert written <= 6 * sum(passes)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 40), st.integers(1, 20))
def test_files_end_where_a_series_does_or_else_never_within_one_time(lengths, rows_max, batch):
    series = np.repeat(np.arange(len(lengths)), lengths)
    ts = np.concatenate([np.arange(n) // 2 for n in lengths])
    target = max(rows_max * 3 // 4, 1)
    ends, held, at = [], 0, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake_sort_plan, "ROWS_MAX", rows_max)
        while at < len(series):
            stop = min(at + batch, len(series))
            while stop < len(series) and (series[stop], ts[stop]) == (
                series[stop - 1],
                ts[stop - 1],
            ):
                stop += 1  # a batch holds all of a time
            new_series = np.append(False, series[at + 1 : stop] != series[at : stop - 1])
            new_time = np.append(True, new_series[1:] | (ts[at + 1 : stop] != ts[at : stop - 1]))
            found = cut(held, target, new_series, new_time)
            assert found is None or held + found > 0  # no empty file
            held, at = (held + stop - at, stop) if found is None else (0, at + found)
            if found is not None:
                ends.append(at)
    sizes = np.diff([0, *ends, len(series)])
    assert max(sizes) <= max(rows_max, 2)
    for end in ends:
        if end < len(series):
            assert (series[end - 1], ts[end - 1]) != (series[end], ts[end])


def test_files_of_a_period_are_of_about_one_size():
    assert target_rows(10) == 10
    rows = lake_sort_plan.ROWS_TARGET + 10
    assert target_rows(rows) == rows // 2


BASE = [Bounds((f"d{i}a",), (f"d{i}z",)) for i in range(5)]


@pytest.mark.parametrize(
    ("low", "high", "met"),
    [
        ("d1b", "d1c", range(1, 2)),
        ("d1z", "d2a", range(1, 3)),
        ("d1zz", "d1zzz", range(2, 3)),  # between two files
        ("a", "b", range(1)),
        ("x", "y", range(4, 5)),
        ("a", "y", range(5)),
    ],
)
def test_only_the_files_that_late_rows_fall_into_are_rewritten(low, high, met):
    assert touched(BASE, (low,), (high,)) == met
