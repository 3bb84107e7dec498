import pytest

from edge.topic import TopicFilters, filter_problem


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


@pytest.mark.parametrize("filter_", ["#", "+", "a/#", "a/+/b/#", "/", "a//b", "$share/g/a/#"])
def test_what_brokers_take_is_a_filter(filter_: str) -> None:
    assert filter_problem(filter_) == ""


@pytest.mark.parametrize(
    "filter_", ["", "a/#/b", "#/", "a#", "##", "a/b#", "#+", "a+", "a/++/b", "a\0", "a" * 65536]
)
def test_what_no_broker_takes_is_told(filter_: str) -> None:
    assert filter_problem(filter_)


def test_no_filters_name_nothing() -> None:
    assert not TopicFilters([]).match("a")
