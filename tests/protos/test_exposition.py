"""The text format: what is written is what a monitoring system reads."""

import math

from hypothesis import given
from hypothesis import strategies as st

from protos.exposition import Histogram, Metric, MetricKind, guide, render
from tests import promtool


def gauge(*samples, labels=()):
    return Metric("x_things", MetricKind.GAUGE, "Some \\ things.", lambda _: samples, labels)


def test_a_metric_is_its_help_its_type_and_its_samples() -> None:
    text = render([gauge((("a",), 1.0), (("b",), 2.5), labels=("which",))], None)
    assert text.splitlines() == [
        "# HELP x_things Some \\\\ things.",
        "# TYPE x_things gauge",
        'x_things{which="a"} 1',
        'x_things{which="b"} 2.5',
    ]


def test_what_is_not_known_is_left_out_whole() -> None:
    assert render([gauge()], None) == ""


def test_a_name_with_quotes_and_lines_stays_one_label() -> None:
    text = render([gauge((('a"b\\c\nd',), 1.0), labels=("which",))], None)
    assert text.splitlines()[2] == 'x_things{which="a\\"b\\\\c\\nd"} 1'
    promtool.check(text)


def test_what_is_no_number_is_written_as_the_format_wants_it() -> None:
    lines = render([gauge(((), math.nan), ((), math.inf), ((), -math.inf))], None).splitlines()
    assert lines[2:] == ["x_things NaN", "x_things +Inf", "x_things -Inf"]


def test_a_bucket_counts_what_is_not_above_its_bound() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(seconds)
    metric = Metric(
        "x_seconds", MetricKind.HISTOGRAM, "Times.", lambda _: [((), histogram.snapshot())]
    )
    text = render([metric], None)
    assert text.splitlines()[2:] == [
        'x_seconds_bucket{le="0.1"} 2',
        'x_seconds_bucket{le="1"} 3',
        'x_seconds_bucket{le="+Inf"} 4',
        "x_seconds_sum 7.65",
        "x_seconds_count 4",
    ]
    promtool.check(text)


@given(st.lists(st.floats(0, 100)))
def test_every_duration_is_in_exactly_one_bucket(seconds: list[float]) -> None:
    histogram = Histogram((0.1, 1.0, 50.0))
    for one in seconds:
        histogram.observe(one)
    assert sum(histogram.snapshot().counts) == len(seconds)


def test_the_guide_names_kind_labels_and_meaning() -> None:
    page = guide([gauge(labels=("which",))], "Half")
    assert "| `x_things` | gauge | `which` | Some \\ things. |" in page
