"""What is told of episodes and kept of them: rows, bounds, ids, restarts."""

import numpy as np
import pytest

from edge.detect import episodes as of_episodes
from edge.detect.episode import Course, Episode
from edge.detect.episodes import Episodes
from edge.detect.judged import Judged
from protos.records import EpisodeState, Kind
from tests.edge.detect.judging import COURSE, T0, S, drained, judged, steady

CLOSED = EpisodeState.CLOSED


def test_series_judged_together_are_told_with_what_each_contributed() -> None:
    made = Episodes("gw", COURSE)
    readings = judged(steady([5, 9, 5, *[0] * 8]), series=4)
    made.take(
        Judged(
            readings.detector, readings.series, readings.ts, readings.value, readings.score,
            readings.threshold, np.array([4, 5, *[4] * 9], np.uint32),
        ),
        0.0,
    )  # fmt: skip
    rows = made.told().batch.kind(Kind.EPISODES)
    assert rows["series"].tolist() == [4, 5]
    assert rows["points"].tolist() == [2, 1]
    assert len({bytes(each) for each in rows["id"]}) == 1


def test_a_commit_takes_a_bounded_part_and_the_last_word_on_each() -> None:
    made = Episodes("gw", COURSE)
    many = of_episodes.TOLD_MAX + 10
    made.take(judged([(0, 5)] * many, list(range(1, many + 1))), 0.0)
    first, second = made.told(), made.told()
    assert (len(first.changes), len(second.changes)) == (of_episodes.TOLD_MAX, 10)
    assert first.batch.count(Kind.EPISODES) == len(first.kept) == of_episodes.TOLD_MAX
    made.take(judged(steady([9] + [0] * 9), 1), 0.0)
    last = made.told()
    assert [one.state for one in last.changes][-1] is CLOSED
    assert last.batch.kind(Kind.EPISODES)["state"].tolist() == [CLOSED]
    assert last.kept[0][1] == b"", "what has ended is let go"


def test_the_number_of_open_episodes_is_bounded_and_what_found_no_room_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(of_episodes, "OPEN_MAX", 3)
    made = Episodes("gw", COURSE)
    made.take(judged([(0, 5)] * 5, [1, 2, 3, 4, 5]), 0.0)
    assert len(made) == 3
    assert made.tallies["m@1"].passed_over == 2
    assert (made.tallies["m@1"].opened, made.tallies["m@1"].closed) == (3, 0)


def test_an_episode_goes_on_after_a_restart_under_its_own_id() -> None:
    before = Episodes("gw", COURSE)
    before.take(judged(steady([5, 9])), 0.0)
    kept = before.told().kept
    (opened,) = [Episode.unpacked(data) for _, data in kept]
    after = Episodes("gw", COURSE)
    assert not after.restore(kept, {"m@1"}, 50.0).unread
    after.take(judged(steady([6, *[0] * 9], 2)), 51.0)
    (closed,) = drained(after)
    assert (closed.state, closed.id, closed.start) == (CLOSED, opened.id, opened.start)
    assert (closed.peak, closed.points, closed.end) == (9.0, 3, T0 + 2 * S)


def test_the_same_reading_begins_the_same_episode_and_another_gateway_another() -> None:
    def id_of(gateway: str, detector: str = "m@1", series: int = 1, at: float = 0) -> bytes:
        made = Episodes(gateway, COURSE)
        made.take(judged([(at, 5)], series, detector), 0.0)
        return made.told().changes[0].id

    assert id_of("gw") == id_of("gw")
    others = [id_of("gw2"), id_of("gw", "m@2"), id_of("gw", series=2), id_of("gw", at=1)]
    assert len({id_of("gw"), *others}) == 5


def test_an_episode_of_a_detector_that_is_gone_ends_at_the_restart() -> None:
    before = Episodes("gw", COURSE)
    before.take(judged(steady([5, 9])), 0.0)
    after = Episodes("gw", COURSE)
    restored = after.restore(before.told().kept, {"m@2"}, 0.0)
    assert restored.retired == ["m@1"]
    closed = after.told()
    assert [one.state for one in closed.changes] == [CLOSED]
    assert closed.kept[0][1] == b""


def test_what_cannot_be_read_is_named_and_the_rest_is_taken_up() -> None:
    before = Episodes("gw", COURSE)
    before.take(judged(steady([5])), 0.0)
    kept = (("episode torn", b"\x93"), *before.told().kept)
    after = Episodes("gw", COURSE)
    assert list(after.restore(kept, {"m@1"}, 0.0).unread) == ["episode torn"]
    assert len(after) == 1


@pytest.mark.parametrize("wrong", [{"stay_share": 0.0}, {"stay_share": 1.1}, {"gap_us": 0}])
def test_a_course_that_never_ends_or_begins_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Course(**wrong)  # type: ignore[arg-type]
