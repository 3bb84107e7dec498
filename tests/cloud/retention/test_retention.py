"""Which section decides for a series, what of its history is due, and what settings are refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.config import FILE_NAME, load
from cloud.errors import OperatorError
from cloud.retention.rules import (
    NEVER,
    Rule,
    Rules,
    hulls_of,
    past_buckets,
    past_readings,
    united,
    within,
)
from cloud.rollup.partials import DAY_US
from cloud.settings import CloudSettings
from protos.records import Quality
from protos.settings_page import settings_file

T0 = 1_700_006_400_000_000
RULES = Rules(
    [
        Rule("rooms", "gw-*/*/temperature", 30 * DAY_US, 0),
        Rule("pumps", "gw-1/Pump?/*", 10 * DAY_US, 20 * DAY_US),
        Rule("rest", "*", 0, 0),
    ]
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("gw-1/pump1/temperature", "rooms"),
        ("GW-1/pump1/rpm", "pumps"),
        ("gw-1/node/a/b/temperature", "rooms"),
        ("gw-2/pump1/rpm", "rest"),
    ],
)
def test_the_first_section_that_fits_decides_whatever_the_case(path, name):
    assert RULES.rule(hash(path), path).name == name


def test_the_shortest_term_says_when_a_file_is_looked_at():
    assert RULES.shortest_us(rollups=False) == 10 * DAY_US
    assert RULES.shortest_us(rollups=True) == 20 * DAY_US
    assert Rules([]).shortest_us(rollups=False) == 0


WRONG = {
    "a misspelt key": ("serie = '*'\nreadings_days = 1", "unknown key `retention.x.serie`", "did"),
    "no term": ("series = '*'", "missing key `retention.x.readings_days`", "add it"),
    "no such series": (
        "series = 'gw-1'\nreadings_days = 1",
        "`retention.x.series`: no series has a name like 'gw-1'",
        'as in "gw-*/*/temperature"',
    ),
    "below zero": ("series = '*'\nreadings_days = -1", "a whole number from 0 to 36_500", "corr"),
    "rollups first": (
        "series = '*'\nreadings_days = 9\nrollups_days = 8",
        "`retention.x.rollups_days`: rollups cannot leave before their readings",
        "make it 9 or more, or 0 to keep them",
    ),
    "rollups alone": (
        "series = '*'\nreadings_days = 0\nrollups_days = 8",
        "`retention.x.rollups_days`",
        "write 0 to keep them",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_section_names_its_key_and_what_to_write(tmp_path: Path, name: str):
    text, cause, hint = WRONG[name]
    (tmp_path / FILE_NAME).write_text(f"[retention.x]\n{text}\n")
    with pytest.raises(OperatorError) as error:
        load(tmp_path)
    assert cause in str(error.value)
    assert hint in str(error.value)


def test_sections_keep_the_order_of_the_file(tmp_path: Path):
    sections = [f"[retention.{name}]\nseries = '*'\nreadings_days = 5\n" for name in "bac"]
    (tmp_path / FILE_NAME).write_text("".join(sections))
    rules = Rules.of(load(tmp_path).settings.retention)
    assert [rule.name for rule in rules.rules] == ["b", "a", "c"]
    assert rules.rules[0].readings_us == 5 * DAY_US


def test_the_example_that_init_writes_can_be_taken_as_it_stands(tmp_path: Path):
    written = settings_file(CloudSettings, {}, "")
    opened = written[written.index("# [retention.example]") :].split("\n\n")[0]
    keys = [line[2:] for line in opened.splitlines() if " = " in line or line.startswith("# [")]
    (tmp_path / FILE_NAME).write_text("\n".join(keys))
    (rule,) = Rules.of(load(tmp_path).settings.retention).rules
    assert (rule.name, rule.readings_us, rule.rollups_us) == ("example", 400 * DAY_US, 0)


ROW = st.tuples(
    st.integers(-40, 5),
    st.integers(-10, 40),
    st.sampled_from([0, 5, 20]),
    st.sampled_from(list(Quality)),
)


@given(st.lists(ROW, min_size=1, max_size=30), st.integers(0, DAY_US))
def test_a_reading_leaves_when_event_and_arrival_are_both_past_and_its_clock_was_right(rows, shift):
    ts = np.array([T0 + day * DAY_US + shift for day, _, _, _ in rows])
    lag = np.array([lag * DAY_US // 2 for _, lag, _, _ in rows])
    keep = np.array([days * DAY_US for _, _, days, _ in rows])
    quality = np.array([quality for _, _, _, quality in rows], np.int8)
    found = past_readings(keep, ts, lag, quality, T0)
    for at, (_, _, days, how) in enumerate(rows):
        came = max(ts[at], ts[at] + lag[at])
        over = came - came % DAY_US + DAY_US + days * DAY_US <= T0
        assert found.rows[at] == (days > 0 and how is not Quality.GATEWAY_UNSYNCED and over)
    if found.due_us < NEVER:
        assert found.due_us > T0
        later = past_readings(keep, ts, lag, quality, found.due_us)
        assert later.rows.sum() > found.rows.sum()
        before = past_readings(keep, ts, lag, quality, found.due_us - 1)
        assert before.rows.sum() == found.rows.sum()


def test_times_at_the_ends_of_the_calendar_overflow_nothing():
    ends = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])
    found = past_readings(np.full(2, DAY_US), ends, np.zeros(2, int), np.zeros(2, np.int8), T0)
    assert found.rows.tolist() == [True, False]


def test_a_bucket_leaves_only_where_readings_left_before():
    ts = np.array([T0 - 30 * DAY_US, T0 - 30 * DAY_US, T0])
    gone = np.array([True, False, True])
    found = past_buckets(np.full(3, DAY_US), ts, gone, T0)
    assert found.rows.tolist() == [True, False, False]
    assert found.due_us <= T0 + 2 * DAY_US


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(-5, 5)), max_size=20))
def test_a_hull_holds_the_days_of_its_rows_and_nothing_outside(rows):
    rows = sorted(rows)
    series = np.array([one for one, _ in rows], np.int64)
    ts = np.array([T0 + day * DAY_US + 7 for _, day in rows], np.int64)
    found: dict[int, tuple[int, int]] = {}
    for at in range(len(rows)):
        found = united(found, hulls_of(series[at : at + 1], ts[at : at + 1]))
    assert found == hulls_of(series, ts)
    assert within(series, ts, found).all()
    for one, (low, high) in found.items():
        mine = ts[series == one]
        assert (low, high) == (mine.min() - 7, mine.max() - 7 + DAY_US)
        edges = np.array([low - 1, low, high - 1, high])
        assert within(np.full(4, one), edges, found).tolist() == [False, True, True, False]
