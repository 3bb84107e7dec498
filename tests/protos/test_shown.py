"""What strangers said reaches terminals, spreadsheets and JSON lines without commanding them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.shown import csv_cell, json_line, printable, shown_time

HOSTILE = "\x1b]0;owned\x07\x9b31m\u202e"


@given(st.text())
def test_whatever_was_said_nothing_of_it_commands_a_terminal(text):
    for shown in (printable(text), json_line({"text": text}), csv_cell(text)):
        assert shown.isprintable()


@given(st.text())
def test_a_json_line_loses_nothing(text):
    assert json.loads(json_line({"text": text})) == {"text": text}


def test_what_people_read_stays_as_it_is():
    assert printable("21 °C, Küche") == "21 °C, Küche"
    assert json_line({"unit": "°C"}) == '{"unit": "°C"}'
    assert printable(HOSTILE) == r"\x1b]0;owned\x07\x9b31m\u202e"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_text_that_begins_like_a_formula_is_quoted(text):
    assert csv_cell(text) == f"'{text}"


def test_an_instant_that_no_calendar_has_is_a_number():
    assert shown_time((1 << 63) - 1) == f"{(1 << 63) - 1} µs"
