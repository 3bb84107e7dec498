"""Episodes of a whole history are those that a gateway makes of it reading by reading."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.models.episodes import CALM_READINGS, CALM_US, GAP_US, STAY_SHARE, episodes_of
from edge.detect.episode import Course
from edge.detect.episodes import Episodes
from edge.detect.judged import Judged

SECOND_US = 1_000_000
THRESHOLD = 4.0


def of_gateway(ts: np.ndarray, score: np.ndarray, cuts: list[int]) -> list[tuple]:
    """What the gateway's own episodes make of the same, in batches."""
    made, told = Episodes("gw", Course()), {}
    edges = sorted({0, len(ts), *(cut for cut in cuts if cut < len(ts))})
    for start, end in itertools.pairwise(edges):
        count = end - start
        judged = Judged(
            "m@1", np.full(count, 3, np.uint32), ts[start:end], score[start:end],
            score[start:end], np.full(count, THRESHOLD),
        )  # fmt: skip
        made.take(judged, 0.0)
        while changes := made.told().changes:
            told |= {one.id: (one.start, one.end, one.peak, one.points) for one in changes}
    told |= {one.id: (one.start, one.end, one.peak, one.points) for one in made.open_of("m@1")}
    return sorted(told.values())


def test_the_rules_are_the_gateways_own():
    assert Course() == Course(
        stay_share=STAY_SHARE, calm_readings=CALM_READINGS, calm_us=CALM_US, gap_us=GAP_US
    )


levels = st.sampled_from([0.0, 1.9, 2.0, 3.9, 4.0, 4.1, 9.0])
steps = st.sampled_from([0, 1, SECOND_US, 2 * SECOND_US, 40 * SECOND_US, GAP_US, GAP_US + 1])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(steps, levels, st.integers(1, 20)), max_size=40),
    st.lists(st.integers(1, 400), max_size=6),
)
def test_any_history_has_the_episodes_that_a_gateway_makes_of_it(parts, cuts):
    step = np.concatenate([np.zeros(0, np.int64), *(np.full(n, s) for s, _, n in parts)])
    score = np.concatenate([np.zeros(0), *(np.full(n, v) for _, v, n in parts)])
    ts = np.cumsum(step, dtype=np.int64)
    found = [(o.from_us, o.to_us, o.peak, o.points) for o in episodes_of(ts, score, THRESHOLD)]
    assert found == of_gateway(ts, score, cuts)


@pytest.mark.parametrize("calm", [15, 16])
def test_an_episode_outlives_fifteen_calm_readings_and_no_sixteenth(calm):
    score = np.array([9.0, *[0.0] * calm, 9.0])
    ts = 60 * SECOND_US * np.arange(len(score))
    assert len(episodes_of(ts, score, THRESHOLD)) == (1 if calm < CALM_READINGS else 2)


def test_readings_that_were_not_judged_are_not_there():
    score = np.array([np.nan, 9.0, np.nan, np.nan, 3.0, np.nan])
    (one,) = episodes_of(SECOND_US * np.arange(6), score, THRESHOLD)
    assert (one.from_us, one.to_us, one.points) == (SECOND_US, 4 * SECOND_US, 2)
