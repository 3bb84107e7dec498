"""Marking intervals from the chart in a real Chromium: brushed or typed, listed, put back."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import TEMPERATURE, drag, facts, open_chart

pytestmark = pytest.mark.browser

WINDOW = "?from=2013-08-10T00:00:00Z&to=2013-08-20T00:00:00Z"


def mark(page: Page, kind: str, note: str = "") -> None:
    page.get_by_role("radio", name=kind).check()
    page.get_by_test_id("mark-note").fill(note)
    page.get_by_test_id("mark-author").fill("ann")
    page.get_by_test_id("mark-save").click()
    expect(page.get_by_test_id("mark-form")).to_have_count(0)


def test_a_brushed_interval_is_marked_shown_and_put_back(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}")
    before = facts(page)
    page.get_by_test_id("brush-mark").click()
    drag(page, 0.4, 0.6)
    assert page.get_by_test_id("mark-from").input_value().startswith("2013-08-13T2")
    expect(page.get_by_test_id("draft-band")).to_be_visible()
    mark(page, "Maintenance", "filters changed")
    band = page.get_by_test_id("mark-band")
    expect(band).to_have_attribute("data-kind", "maintenance")
    box, plot = band.bounding_box(), page.locator(".u-over").bounding_box()
    assert box is not None
    assert plot is not None
    assert box["width"] / plot["width"] == pytest.approx(0.2, abs=0.02)
    assert facts(page)["from"] == before["from"], "marking does not zoom"
    item = page.get_by_test_id("mark-item")
    expect(item).to_contain_text("filters changed")
    expect(item).to_contain_text("ann")
    page.get_by_test_id("mark-withdraw").click()
    expect(page.get_by_test_id("mark-item")).to_have_count(0)
    expect(band).to_have_count(0)


def test_bad_data_can_be_left_out_and_comes_back(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}")
    page.get_by_test_id("brush-mark").click()
    drag(page, 0.3, 0.5)
    mark(page, "Bad data")
    whole = facts(page)
    page.get_by_test_id("bad-exclude").click()
    page.wait_for_url(re.compile("bad=exclude"))
    page.wait_for_function(
        "n => Number(document.querySelector('[data-testid=chart]').dataset.points) < n",
        arg=whole["points"],
    )
    assert facts(page)["points"] == pytest.approx(0.8 * whole["points"], rel=0.05)
    assert facts(page)["gaps"] == whole["gaps"] + 1
    page.get_by_test_id("side-marks").click()
    page.get_by_test_id("mark-withdraw").click()
    page.wait_for_function(
        "n => Number(document.querySelector('[data-testid=chart]').dataset.points) === n",
        arg=whole["points"],
    )


def test_an_interval_is_marked_without_a_pointer(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}&side=marks")
    page.get_by_test_id("mark-window").focus()
    page.keyboard.press("Enter")
    assert page.get_by_test_id("mark-from").input_value() == "2013-08-10T00:00:00Z"
    page.get_by_test_id("mark-to").fill("2013-08-01T00:00:00Z")
    expect(page.get_by_test_id("mark-save")).to_be_disabled()
    page.get_by_test_id("mark-to").fill("2013-08-12T00:00:00Z")
    page.get_by_test_id("mark-scope").select_option("device")
    mark(page, "Fault", "fan stood still")
    item = page.get_by_test_id("mark-item")
    expect(item).to_contain_text("device air-handler")
    expect(page.get_by_test_id("mark-band")).to_have_attribute("data-kind", "fault")
    expect(page.get_by_test_id("withdraw-author")).to_have_value("ann")
    page.get_by_test_id("mark-withdraw").click()
    expect(item).to_have_count(0)


def test_escape_lets_go_of_a_mark_that_is_not_made(page: Page, server: str) -> None:
    open_chart(page, f"{server}{TEMPERATURE}{WINDOW}")
    page.keyboard.press("m")
    drag(page, 0.4, 0.6)
    expect(page.get_by_test_id("mark-form")).to_be_visible()
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("mark-form")).to_have_count(0)
    expect(page.get_by_test_id("brush-zoom")).to_have_attribute("aria-pressed", "true")
