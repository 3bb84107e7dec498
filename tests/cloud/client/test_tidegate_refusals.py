"""What `import tidegate` says to questions that cannot be asked, and in whose words."""

from datetime import datetime
from typing import Any

import pytest

import tidegate
from cloud.rollup.partials import MINUTE_US
from tests.cloud.client.served_world import Served
from tests.cloud.lake_world import T0

HOUR = (T0, T0 + 60 * MINUTE_US)


@pytest.fixture
def cloud(served: Served) -> tidegate.Client:
    return tidegate.connect(served.url)


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("pump/temperature", tidegate.QuestionError, "2 series are called 'pump/temperature'"),
        ("long/temperatur", tidegate.NotFoundError, "did you mean long/temperature?"),
        ("LONG", tidegate.NotFoundError, "did you mean long/temperature?"),
        ("zzzz", tidegate.NotFoundError, r"`series\(search=…\)` lists them"),
        ("00000000000000ff", tidegate.NotFoundError, "there is no series 00000000000000ff"),
        ([], tidegate.QuestionError, "no series is asked for"),
    ],
)
def test_a_name_that_is_none_or_of_several_is_told(
    cloud: tidegate.Client, name: Any, error: type[Exception], told: str
) -> None:
    result = cloud.history(name, *HOUR)
    with pytest.raises(error, match=told):
        result.to_polars()


def test_a_refusal_is_in_the_words_of_the_server(cloud: tidegate.Client) -> None:
    with pytest.raises(tidegate.BadQuestionError) as refused:
        cloud.series(kind="gaug").to_polars()
    assert isinstance(refused.value, ValueError)
    assert refused.value.status == 400
    assert (refused.value.parameter, refused.value.nearest) == ("kind", "gauge")
    assert "expected some of gauge, counter, state" in str(refused.value)
    with pytest.raises(tidegate.BadQuestionError, match="`from` lies behind `to`"):
        cloud.gaps(2, 1).to_arrow()


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda c: c.history(""), "names no series"),
        (lambda c: c.history(5), "names no series"),
        (lambda c: c.history({"device": "pump"}), "names no series"),
        (lambda c: c.history("a/b", datetime(2026, 1, 1)), "names no zone"),
        (lambda c: c.history("a/b", "soon"), "`start` is 'soon', which is no time"),
        (lambda c: c.history("a/b", "-1h", True), "`end` is True, which is no time"),
        (lambda c: c.history("a/b", resolution="1x"), "which is no width"),
        (lambda c: c.history("a/b", resolution="1h", points=5), "contradict each other"),
        (lambda c: c.wide("a/b", resolution="raw"), "cannot be aligned"),
        (lambda c: c.series(gateway=5.5), "`gateway` is 5.5"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(
    served: Served, cloud: tidegate.Client, ask: Any, told: str
) -> None:
    served.asked.clear()
    with pytest.raises(tidegate.QuestionError, match=told):
        ask(cloud)
    assert served.asked == []
