"""Windows: causal, per series, and the same however the stream is cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.detect.by_series import by_series
from edge.detect.rolling import Windows

Reading = tuple[int, float]
STREAMS = st.lists(
    st.tuples(st.integers(1, 4), st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf])),
    max_size=60,
)


def naive(stream: list[Reading], length: int) -> list[list[float]]:
    """What a window is, said without a single array."""
    past: dict[int, list[float]] = {}
    windows = []
    for series, value in stream:
        if np.isfinite(value):
            mine = past.setdefault(series, [])
            mine.append(value)
            if len(mine) >= length:
                windows.append(mine[-length:])
    return windows


def push(windows: Windows, stream: list[Reading]) -> list[list[float]]:
    series = np.array([s for s, _ in stream], np.uint32)
    windowed = windows.push(series, np.array([v for _, v in stream], np.float64))
    in_order = windowed.at[np.argsort(windowed.rows)]
    return [windowed.line[at : at + windows.length].tolist() for at in in_order.tolist()]


@given(STREAMS, st.integers(2, 6))
def test_each_reading_gets_the_window_that_ends_with_itself(
    stream: list[Reading], length: int
) -> None:
    assert push(Windows(length), stream) == naive(stream, length)


@given(STREAMS, st.integers(2, 6), st.lists(st.integers(0, 60), max_size=5))
def test_how_the_stream_is_cut_into_batches_changes_no_window(
    stream: list[Reading], length: int, cuts: list[int]
) -> None:
    windows, got = Windows(length), []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, stop in itertools.pairwise(edges):
        got += push(windows, stream[start:stop])
    assert got == naive(stream, length)


def test_the_ordinal_counts_the_readings_before() -> None:
    windowed = Windows(2).push(np.array([3, 3, 5, 3], np.uint32), np.arange(4.0))
    assert windowed.rows.tolist() == [1, 3]
    assert windowed.ordinal.tolist() == [1, 2]


def test_a_window_of_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Windows(1)


@given(st.lists(st.integers(0, 5) | st.integers(0, 2**32 - 1), max_size=40))
def test_grouping_brings_a_series_together_in_order_of_arrival(series: list[int]) -> None:
    groups = by_series(np.array(series, np.uint32))
    order = range(len(series)) if groups.order is None else groups.order.tolist()
    assert list(order) == sorted(range(len(series)), key=lambda row: series[row])
    assert groups.who.tolist() == sorted(series)
    assert groups.series.tolist() == sorted(set(series))
    ends = (groups.starts + groups.counts).tolist()
    told = [groups.who[a:b].tolist() for a, b in zip(groups.starts.tolist(), ends, strict=True)]
    assert told == [[one] * series.count(one) for one in sorted(set(series))]
