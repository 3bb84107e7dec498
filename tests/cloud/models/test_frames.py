"""Frames of a whole history are those that a gateway aligns reading by reading."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.models.frames import frames_of
from edge.detect.frames import Frames

SAMPLE_US = 1000
readings = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 999)), max_size=60)


def at_the_gateway(ts, value, channels, window, gap_us, cuts):
    """Time and content of every window that the gateway's own code ends."""
    made = Frames(channels, window, SAMPLE_US, gap_us)
    times = np.concatenate(ts)
    which = np.repeat(np.arange(channels), [len(each) for each in ts])
    order = np.lexsort((which, times))
    times, values, which = times[order], np.concatenate(value)[order], which[order]
    edges = sorted({0, len(times), *(cut for cut in cuts if cut < len(times))})
    told = []
    for start, end in itertools.pairwise(edges):
        here = slice(start, end)
        device = np.zeros(end - start, np.int64)
        framed = made.push(device, which[here], times[here], values[here])
        told += [
            (int(when), framed.line[at : at + window].tolist())
            for when, at in zip(framed.ts, framed.at, strict=True)
        ]
    return told


@settings(max_examples=300, deadline=None)
@given(
    st.lists(readings, min_size=1, max_size=3),
    st.integers(2, 4),
    st.integers(0, 4),
    st.lists(st.integers(1, 100), max_size=4),
)
def test_any_history_has_the_windows_that_a_gateway_makes_of_it(told, window, gap, cuts):
    ts = [np.array(sorted(s * SAMPLE_US + u for s, u in each), np.int64) for each in told]
    value = [np.arange(len(each), dtype=np.float64) + 1000 * c for c, each in enumerate(ts)]
    made = frames_of(ts, value, SAMPLE_US, gap * SAMPLE_US)
    mine = [
        (int(made.ts[end]), made.values[end - window + 1 : end + 1].tolist())
        for end in made.ends(window)
    ]
    assert mine == at_the_gateway(ts, value, len(ts), window, gap * SAMPLE_US, cuts)


def test_a_year_of_silence_costs_no_frames():
    year = 366 * 86_400_000_000
    ts = [np.array([0, 1000, year, year + 1000])] * 2
    made = frames_of(ts, [np.arange(4.0)] * 2, SAMPLE_US, 5 * SAMPLE_US)
    assert len(made.ts) == 4 + 6
    assert made.ends(2).tolist() == [1, 9]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_device_that_never_spoke_has_no_frames(channels):
    nothing = [np.zeros(0, np.int64)] * channels
    made = frames_of(nothing, [np.zeros(0)] * channels, SAMPLE_US, SAMPLE_US)
    assert len(made.ends(2)) == len(made.ts) == 0
