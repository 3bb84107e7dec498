"""A model of several metrics is silent while it is staged; in service its faults are episodes."""

import pytest

from edge.detect.detection import Detection
from edge.detect.episode import Course
from edge.detect.episodes import Episodes
from edge.detect.found import Found, named
from edge.detect.models import Model
from edge.detect.staged import Lane, Staged
from protos.records import EpisodeState, Kind
from tests.edge.detect.test_frame_bench import START_US, catalog, faulty, model, stream

__all__ = ["model"]  # the fixture


def found_by(staged: Staged) -> Found:
    detection = Detection([staged], Episodes("gw", Course()), now_us=lambda: START_US)
    (found,) = detection.detect([stream(faulty())], catalog())
    return found


def test_the_metric_that_led_is_the_series_of_the_episode_in_the_cloud_and_told_in_the_alert(
    model: Model,
) -> None:
    found = found_by(Staged([model], 1.0))
    rows = found.batch.kind(Kind.EPISODES)
    assert rows["model"].tolist() == ["pump@1"]
    assert rows["series"].tolist() == [2], "pressure, though the device stands under its first"
    (told,) = named(found, catalog())
    assert told.series.device == "pump-0"
    assert [one.metric for one in told.channels] == ["pressure"]
    assert told.change.state is EpisodeState.OPENED


@pytest.mark.parametrize(("is_heard", "episodes"), [(False, 0), (True, 1)])
def test_a_staged_model_is_counted_and_makes_an_episode_only_once_it_is_heard(
    model: Model,
    is_heard: bool,
    episodes: int,
) -> None:
    staged = Staged([], 1.0)
    candidate = staged.voice(model)
    staged.stage("pump", Lane(candidate=candidate, is_heard=is_heard))
    found = found_by(staged)
    assert found.batch.count(Kind.EPISODES) == found.batch.count(Kind.SCORES) == episodes
    assert candidate.figures().alarms == 1
