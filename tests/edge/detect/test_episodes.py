"""Episodes from judged readings: when they begin, go on and end."""

from collections.abc import Iterable

import numpy as np
import pytest

from edge.detect.episode import Change, Course
from edge.detect.episodes import Episodes
from edge.detect.judged import Judged
from protos.records import EpisodeState
from tests.edge.detect.judging import COURSE, T0, Readings, S, drained, judged, steady

OPENED, UPDATED, CLOSED = EpisodeState


def told(readings: Readings, course: Course = COURSE) -> list[tuple[EpisodeState, int, int, int]]:
    """State, start, end in seconds since T0, and points of every change."""
    made = Episodes("gw", course)
    made.take(judged(readings), 0.0)
    return [
        (one.state, (one.start - T0) // S, (one.end - T0) // S, one.points) for one in drained(made)
    ]


def test_a_burst_of_strange_readings_is_one_episode_with_start_peak_and_end() -> None:
    made = Episodes("gw", COURSE)
    made.take(judged(steady([1, 5, 9, 6, 7, *[0] * 8])), 0.0)
    opened, closed = drained(made)
    assert (opened.state, closed.state) == (OPENED, CLOSED)
    assert opened.id == closed.id
    assert (closed.start, closed.end) == (T0 + 1 * S, T0 + 4 * S)
    assert (closed.peak, closed.peak_ts, closed.value) == (9.0, T0 + 2 * S, 90.0)
    assert (closed.threshold, closed.points, closed.detector) == (4.0, 4, "m@1")
    assert len(made) == 0


def test_scores_below_the_threshold_and_above_its_share_keep_it_open_and_begin_none() -> None:
    uneasy = [2.5] * 20
    assert told(steady(uneasy)) == []
    assert told(steady([5, *uneasy, *[1] * 8])) == [(OPENED, 0, 0, 1), (CLOSED, 0, 20, 21)]


def test_it_ends_only_when_the_calm_has_both_its_readings_and_its_time() -> None:
    quick = [(0.0, 5.0), *((0.1 * n, 0.0) for n in range(1, 40))]
    assert [state for state, *_ in told(quick)] == [OPENED]
    slow = [(0.0, 5.0), (100.0, 0.0), (200.0, 0.0)]
    assert [state for state, *_ in told(slow)] == [OPENED]
    assert [state for state, *_ in told([*slow, (300.0, 0.0)])] == [OPENED, CLOSED]


def test_a_relapse_during_the_calm_is_the_same_episode() -> None:
    found = told(steady([5, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0]))
    assert [state for state, *_ in found] == [OPENED, CLOSED]
    assert found[-1] == (CLOSED, 0, 4, 2)


def test_what_calms_down_before_its_least_length_was_no_episode() -> None:
    course = Course(stay_share=0.5, calm_readings=3, calm_us=0, least_readings=3, least_us=4 * S)
    assert told(steady([5, 5, 0, 0, 0, 0]), course) == []
    assert told(steady([5, 5, 5, 0, 0, 0]), course) == [], "three readings, but two seconds"
    found = told(steady([5, 5, 5, 5, 5, 0, 0, 0]), course)
    assert [state for state, *_ in found] == [OPENED, CLOSED]
    assert found[0][1:] == (0, 4, 5), "it began with its first reading"


def test_an_outage_ends_it_at_the_last_reading_before() -> None:
    found = told([(0, 5), (1, 6), (700, 7), (701, 0)])
    assert found == [(OPENED, 0, 1, 2), (CLOSED, 0, 1, 2), (OPENED, 700, 700, 1)]


def test_a_late_reading_counts_and_moves_no_start() -> None:
    made = Episodes("gw", COURSE)
    made.take(judged([(10, 5), (11, 6), (5, 9), *((20 + n, 0) for n in range(9))]), 0.0)
    closed = drained(made)[-1]
    assert (closed.start, closed.end, closed.points) == (T0 + 10 * S, T0 + 11 * S, 3)
    assert (closed.peak, closed.peak_ts) == (9.0, T0 + 5 * S)


def test_what_a_device_kept_back_for_long_neither_holds_nor_ends_an_open_episode() -> None:
    made = Episodes("gw", COURSE)
    history = [(float(n), 0.0) for n in range(0, 200, 10)]
    made.take(judged([(5000, 5), *history, (5001, 5), *((5010 + n, 0) for n in range(9))]), 0.0)
    changes = drained(made)
    assert [one.state for one in changes] == [OPENED, CLOSED]
    assert (changes[1].start, changes[1].end) == (T0 + 5000 * S, T0 + 5001 * S)


def test_one_wild_stamp_ahead_does_not_keep_later_faults_from_being_seen() -> None:
    made = Episodes("gw", COURSE)
    year = 31_536_000
    made.take(judged([(0, 5), (year, 5), *steady([0] * 50, 1)]), 0.0)
    made.end_silent(601.0)
    made.take(judged(steady([5, 5], 60)), 601.0)
    starts = [(one.state, (one.start - T0) // S) for one in drained(made)]
    assert starts == [(OPENED, 0), (CLOSED, 0), (OPENED, year), (CLOSED, year), (OPENED, 60)]


def test_a_device_whose_clock_stands_still_calms_by_the_gateways_clock() -> None:
    made = Episodes("gw", COURSE)
    made.take(judged([(0, 5)]), 0.0)
    for second in range(1, 5):
        made.take(judged([(0, 0)]), float(second))
    assert [one.state for one in drained(made)] == [OPENED]
    made.take(judged([(0, 0)]), 7.0)
    assert [one.state for one in drained(made)] == [CLOSED]


def test_silence_ends_it_though_nothing_comes_any_more() -> None:
    made = Episodes("gw", COURSE)
    made.take(judged([(0, 5), (1, 6)]), 100.0)
    made.end_silent(700.0)
    assert [one.state for one in drained(made)] == [OPENED]
    made.end_silent(700.5)
    (closed,) = drained(made)
    assert (closed.state, closed.end) == (CLOSED, T0 + 1 * S)


def test_a_long_episode_is_told_again_ever_more_seldom() -> None:
    made = Episodes("gw", COURSE)
    for at in range(5000):
        made.take(judged([(at, 5)]), 0.0)
    told_s = [(one.end - one.start) // S for one in drained(made)]
    assert told_s == [0, 60, 120, 240, 480, 960, 1920, 3840]


def test_a_peak_twice_as_high_is_told_at_once() -> None:
    made = Episodes("gw", COURSE)
    for second, score in enumerate([5, 6, 20]):
        made.take(judged([(second, score)]), 0.0)
    assert [(one.state, one.peak) for one in drained(made)] == [(OPENED, 5.0), (UPDATED, 20.0)]


def test_readings_that_were_not_judged_mean_nothing() -> None:
    made = Episodes("gw", COURSE)
    readings = judged(steady([5, np.nan, np.inf, 0]))
    readings.threshold[3] = np.inf
    made.take(readings, 0.0)
    (opened,) = drained(made)
    assert (opened.points, opened.peak) == (1, 5.0)


def noisy(seed: int, n: int = 3000) -> Judged:
    """Readings of six series with faults, gaps and late ones, mixed."""
    rng = np.random.default_rng(seed)
    who = rng.integers(1, 7, n)
    score = np.abs(rng.normal(0, 1.2, n)) + 6 * (rng.random(n) < 0.02)
    ts = np.cumsum(rng.exponential(0.4, n) + 900.0 * (rng.random(n) < 0.003))
    ts -= 3.0 * (rng.random(n) < 0.05)
    return judged(list(zip(ts.tolist(), score.tolist(), strict=True)), who.tolist())


def ends_of(changes: Iterable[Change]) -> list[tuple[int, int, int, int, float, int]]:
    return sorted(
        (one.series, one.start, one.end, one.peak_ts, one.peak, one.points)
        for one in changes
        if one.state is CLOSED
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1, 7, 400])
def test_batches_of_any_size_make_the_same_episodes(seed: int, size: int) -> None:
    course = Course(stay_share=0.5, calm_readings=5, calm_us=0, gap_us=600 * S)
    whole, cut = Episodes("gw", course), Episodes("gw", course)
    readings = noisy(seed)
    whole.take(readings, 0.0)
    changes = []
    for first in range(0, len(readings.ts), size):
        cut.take(readings.at(np.arange(first, min(first + size, len(readings.ts)))), 0.0)
        changes += drained(cut)
    expected = ends_of(drained(whole))
    assert len(expected) > 20
    assert ends_of(changes) == expected


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_a_plain_loop_over_readings_makes(seed: int) -> None:
    course = Course(stay_share=0.5, calm_readings=5, calm_us=0, gap_us=600 * S)
    made = Episodes("gw", course)
    readings = noisy(seed)
    made.take(readings, 0.0)
    assert ends_of(drained(made)) == ends_of_loop(readings, course)


def ends_of_loop(readings: Judged, course: Course) -> list[tuple[int, int, int, int, float, int]]:
    """The rules once more, a reading at a time."""
    open_: dict[int, dict[str, float]] = {}
    ended = []
    for at in range(len(readings.ts)):
        who, ts = int(readings.series[at]), int(readings.ts[at])
        score, limit = float(readings.score[at]), float(readings.threshold[at])
        one = open_.get(who)
        if one is not None and ts - one["last"] < -course.gap_us:
            continue
        if one is not None and ts - one["last"] > course.gap_us:
            ended.append((who, open_.pop(who)))
            one = None
        if one is None:
            if score <= limit:
                continue
            one = open_[who] = {"start": ts, "end": ts, "peak": -1, "points": 0}
        one["last"] = ts
        if score < course.stay_share * limit:
            one["calm"] += 1
            if one["calm"] >= course.calm_readings:
                ended.append((who, open_.pop(who)))
            continue
        one |= {"calm": 0, "points": one["points"] + 1, "end": max(one["end"], ts)}
        if score > one["peak"]:
            one |= {"peak": score, "peak_ts": ts}
    return sorted(
        (who, one["start"], one["end"], one["peak_ts"], one["peak"], one["points"])  # type: ignore[misc]
        for who, one in ended
    )
