import pytest

from edge.topic import TopicFilters


@pytest.mark.parametrize(
    ("filter_", "topic", "named"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a/", True),
        ("a/+", "a", False),
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/d/c", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "ab", False),
        ("#", "a/b", True),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("a.b", "axb", False),
        ("+/x", "line\nbreak/x", True),
    ],
)
def test_filters_name_what_mqtt_says(filter_: str, topic: str, named: bool) -> None:
    assert TopicFilters([filter_]).match(topic) is named
    assert TopicFilters(["other/topic", filter_]).match(topic) is named


def test_no_filters_name_nothing() -> None:
    assert not TopicFilters([]).match("a")
